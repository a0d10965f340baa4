import { execFile, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "../../../runtime/errors/index.ts";

type AtEnd = (end: () => unknown) => void;

const run = promisify(execFile);
const namespace = "CHAOS_NAMESPACE";
const MiB = 1024 * 1024;

/** A disk of its own, in memory, that can be filled to the last byte. */
export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Mounted at `folder`, which is made. Throws where this machine allows none: Linux wants root or user namespaces (see
   * `inNamespace`), macOS its own tools.
   */
  static async mount(folder: string, megabytes: number, atEnd: AtEnd): Promise<SmallDisk> {
    try {
      if (process.platform === "darwin") await mountOnMac(folder, megabytes, atEnd);
      else await mountOnLinux(folder, megabytes, atEnd);
    } catch (error) {
      throw new Error(
        `a disk in memory is needed to fill it, and cannot be mounted here (${messageOf(error)}): run this as root, or allow user namespaces (unshare -mc)`,
        { cause: error },
      );
    }
    return new SmallDisk(folder);
  }

  /** Until nothing more can be written. */
  fill(): void {
    const file = openSync(this.#balloon, "a");
    try {
      for (let size = MiB; size >= 1; ) {
        try {
          // What is written in part fills it too.
          if (writeSync(file, Buffer.alloc(size)) < size) size = Math.floor(size / 2);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          size = Math.floor(size / 2);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#balloon, { force: true });
  }

  get #balloon(): string {
    return join(this.folder, "balloon");
  }
}

async function mountOnLinux(folder: string, megabytes: number, atEnd: AtEnd): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "tmpfs", folder]);
  // Lazily: a server that will not end must not leave it mounted.
  atEnd(() => run("umount", ["-l", folder]));
}

async function mountOnMac(folder: string, megabytes: number, atEnd: AtEnd): Promise<void> {
  const { stdout } = await run("hdiutil", ["attach", "-nomount", `ram://${megabytes * 2048}`]);
  const device = stdout.trim();
  atEnd(() => run("hdiutil", ["detach", "-force", device]));
  const name = `sluice-${basename(device)}`;
  await run("diskutil", ["erasevolume", "HFS+", name, device]);
  if (!existsSync(folder)) symlinkSync(join("/Volumes", name), folder);
}

/** Whether disks can be mounted only in a namespace of this process' own. */
export function needsNamespace(): boolean {
  return process.platform === "linux" && process.getuid?.() !== 0 && process.env[namespace] === undefined;
}

/** Runs a Node program where this user may mount disks, which nobody else sees. Resolves with its exit code. */
export function inNamespace(program: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, [namespace]: "1" };
    const child = spawn("unshare", ["-mc", "--keep-caps", process.execPath, ...program], { stdio: "inherit", env });
    child.once("error", (error) => reject(new Error(`unshare cannot be run: ${error.message}`, { cause: error })));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
