import { access, constants, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "./file-error.ts";
import { syncFolder } from "./output.ts";
import type { FileState } from "./target.ts";

const ending = ".begin";
/** What passes, or is mended, and the run waits for: going on without would give the promise up for good. */
const awaited = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE"]);

/**
 * How much of a file was there when a run began to append to it, kept beside it until the run is complete: what a crash
 * before the first checkpoint repeats could not be told from what was there before.
 */
export class Beginning {
  readonly #path: string;
  readonly #name: string;
  readonly #folder: string;

  constructor(path: string, runId: string) {
    this.#folder = dirname(path);
    this.#name = `.${basename(path)}.${runId}${ending}`;
    this.#path = join(this.#folder, this.#name);
  }

  /** What follows where it cannot be kept. */
  async warnings(): Promise<readonly string[]> {
    const { R_OK, W_OK, X_OK } = constants;
    try {
      await access(this.#folder, R_OK | W_OK | X_OK);
      return [];
    } catch {
      const what = `${this.#folder} takes no file in which the run keeps what was there before it`;
      return [`${what}: a crash before its first checkpoint may write records twice. Let sluice write to the folder.`];
    }
  }

  /** Null where this run has written nothing, or its beginning could not be kept. */
  async read(): Promise<FileState | null> {
    const text = await readFile(this.#path, "utf8").catch((error: unknown) => {
      this.#throwAwaited(error);
      return null;
    });
    return text === null ? null : (JSON.parse(text) as FileState);
  }

  /** Durable when it resolves. Where only the file may be written, not its folder, the run does without. */
  async write(state: FileState): Promise<void> {
    const fresh = `${this.#path}~`;
    try {
      await this.#removeEarlier();
      const file = await open(fresh, "w", 0o600);
      try {
        await file.writeFile(JSON.stringify(state));
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(fresh, this.#path);
      await syncFolder(this.#folder);
    } catch (error) {
      await this.remove();
      this.#throwAwaited(error);
    }
  }

  async remove(): Promise<void> {
    for (const path of [this.#path, `${this.#path}~`]) await rm(path, { force: true }).catch(() => {});
  }

  #throwAwaited(error: unknown): void {
    if (awaited.has((error as NodeJS.ErrnoException).code ?? ""))
      throw fileError(error, this.#path, "destination.stream");
  }

  /** Those of runs that were given up. Run ids sort by time. */
  async #removeEarlier(): Promise<void> {
    const common = this.#name.length - ending.length - 36;
    for (const entry of await readdir(this.#folder)) {
      const own = entry.replace(/~$/, "");
      const isOne = own.startsWith(this.#name.slice(0, common)) && own.endsWith(ending);
      if (isOne && own.length === this.#name.length && own < this.#name) await rm(join(this.#folder, entry));
    }
  }
}
