import { statfs } from "node:fs/promises";
import type { Clock } from "../../runtime/ports/clock.ts";
import type { Space } from "../../runtime/ports/space.ts";

/** Free and whole size of a disk, in bytes. */
export interface DiskSize {
  readonly free: number;
  readonly size: number;
}

export interface DiskSpaceOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly measure?: (folder: string) => Promise<DiskSize>;
}

const MiB = 1024 * 1024;
/** Less than a source reads in this time must not fill what is left. */
const intervalMs = 500;
const reserveMiB = 512;
const reserveShare = 0.05;

/**
 * Watches the disk of the data folder. The servers there do not survive a full one, and what is in the logs needs room to
 * be delivered: so sources pause before, at 512 MiB free or at a twentieth of a small disk, and go on at half as much more.
 */
export class DiskSpace implements Space {
  readonly #options: Required<DiskSpaceOptions>;
  readonly #waiters = new Set<() => void>();
  readonly #stop = new AbortController();
  #reason: string | null = null;
  #freeBytes: number | null = null;

  constructor(options: DiskSpaceOptions) {
    this.#options = { measure, ...options };
  }

  get reason(): string | null {
    return this.#reason;
  }

  /** As last measured; null: it never was. */
  get freeBytes(): number | null {
    return this.#freeBytes;
  }

  /** Resolves when the disk has been looked at for the first time. */
  async start(): Promise<void> {
    await this.#look();
    void this.#watch();
  }

  stop(): void {
    this.#stop.abort();
  }

  available(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#reason === null) return resolve();
      const end = () => {
        this.#waiters.delete(end);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#waiters.delete(end);
        reject(signal.reason);
      };
      this.#waiters.add(end);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#options.clock.sleep(intervalMs, signal).catch(() => {});
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { folder } = this.#options;
    let disk: DiskSize;
    try {
      disk = await this.#options.measure(folder);
    } catch {
      return this.#free(); // What cannot be measured holds nobody up.
    }
    this.#freeBytes = disk.free;
    const reserve = Math.min(reserveMiB * MiB, disk.size * reserveShare);
    const wanted = this.#reason === null ? reserve : reserve * 1.5;
    if (disk.free < wanted) {
      const [free, least] = [disk.free, wanted].map((bytes) => Math.floor(bytes / MiB));
      this.#reason = `the disk of ${folder} is nearly full: ${free} MiB are free, sources go on from ${least} MiB`;
      return;
    }
    this.#free();
  }

  #free(): void {
    this.#reason = null;
    for (const wake of [...this.#waiters]) wake();
  }
}

async function measure(folder: string): Promise<DiskSize> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, size: blocks * bsize };
}
