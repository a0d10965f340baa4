import { chmod, copyFile, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  ConnectorError,
  type Destination,
  type DestinationOptions,
  StaleOwnerError,
  type WriteBatch,
  type WriteResult,
} from "../sdk/index.ts";
import { type Encoder, encoderOf } from "./encoder.ts";
import { fileError, isMissing } from "./file-error.ts";
import { Output, syncFolder } from "./output.ts";
import { encoded, endingOf, type FileState, resultOf, type Target } from "./target.ts";

/**
 * Writes a run's records aside and puts the file in its place when the run is complete: readers see the old file or the
 * new one. The length after each write is its state; what follows the checkpoint's is cut off when a run goes on, so
 * that every record stands in the file once.
 */
export class ReplaceDestination implements Destination {
  readonly concurrency = 1;
  readonly #target: Target;
  readonly #part: string;
  readonly #encoder: Encoder;
  readonly #state: FileState | null;
  /** Undefined once the part has become the file. */
  #output: Output | undefined;
  #records: number;
  #isClosed = false;

  private constructor(target: Target, part: string, state: FileState | null, output: Output | undefined) {
    this.#target = target;
    this.#part = part;
    this.#state = state;
    this.#output = output;
    this.#encoder = encoderOf(target.format, state?.columns);
    this.#records = state?.records ?? 0;
  }

  static async open(target: Target, { runId, state: json }: DestinationOptions): Promise<ReplaceDestination> {
    const state = json as FileState | null;
    const part = await partOf(target.path, runId);
    if (state === null) {
      // Another file than one that a former owner may have open still.
      await rm(part, { force: true });
      return new ReplaceDestination(target, part, null, await Output.open(part, "w+"));
    }
    const output = await reopened(part, state);
    if (output === undefined && (await sizeOf(target.path)) < state.bytes) throw lost(part);
    return new ReplaceDestination(target, part, state, output);
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    const output = (this.#output ??= await this.#takeBack());
    const { bytes, failed } = await encoded(batch, this.#encoder, this.#records, this.#target.isGzip);
    if (bytes.length > 0) await output.append(bytes);
    this.#records += batch.records.length - failed.length;
    return resultOf(output.length, this.#records, this.#encoder, failed);
  }

  async complete(): Promise<void> {
    const output = this.#output;
    const { path, isGzip } = this.#target;
    if (output === undefined) return;
    try {
      if (!this.#isClosed) {
        const ending = await endingOf(this.#encoder.closing(this.#records), output.length, isGzip);
        if (ending.length > 0) await output.append(ending);
        this.#isClosed = true;
      }
      // A part of the same name may be another owner's.
      await output.own();
      const before = await stat(path).catch(() => undefined);
      if (before) await chmod(this.#part, before.mode & 0o7777);
      await output.sync();
      await rename(this.#part, path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (error instanceof StaleOwnerError) throw error;
      if (isMissing(error)) throw lost(this.#part);
      throw fileError(error, path, "destination.stream");
    }
    this.#output = undefined;
    await output.close();
  }

  async close(): Promise<void> {
    await this.#output?.close();
  }

  /** The node died after the rename and before its last checkpoint: the run goes on from a copy. */
  async #takeBack(): Promise<Output> {
    if (this.#state === null) throw lost(this.#part);
    await copyFile(this.#target.path, this.#part);
    const output = await reopened(this.#part, this.#state);
    if (output === undefined) throw lost(this.#part);
    return output;
  }
}

/** The part cut back to its state, or undefined where it is not there. */
async function reopened(part: string, state: FileState): Promise<Output | undefined> {
  const size = await sizeOf(part);
  if (size < 0) return undefined;
  if (size < state.bytes) throw lost(part);
  const output = await Output.takeOver(part);
  await output.truncate(state.bytes);
  return output;
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? -1;
}

/** Path of the run's part. Parts of earlier runs, which never became the file, are removed. */
async function partOf(path: string, runId: string): Promise<string> {
  const folder = dirname(path);
  const name = basename(path);
  const part = `.${name}.${runId}.part`;
  for (const entry of await readdir(folder)) {
    // Run ids sort by time.
    const own = entry.replace(/~$/, "");
    const isPart = own.startsWith(`.${name}.`) && own.endsWith(".part") && own.length === part.length;
    if (isPart && own < part) await rm(join(folder, entry), { force: true });
  }
  return join(folder, part);
}

function lost(part: string): ConnectorError {
  return new ConnectorError("CONFLICT", `${part}, which holds what this run wrote so far, was removed or cut short.`, {
    fault: "destination",
    path: "destination.stream",
  });
}
