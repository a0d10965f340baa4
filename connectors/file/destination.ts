import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import {
  ConnectorError,
  type Destination,
  type DestinationOptions,
  type WriteBatch,
  type WriteResult,
} from "../sdk/index.ts";
import { AppendDestination } from "./append-destination.ts";
import { type FileConfig, formatOf, isWrittenGzip } from "./config.ts";
import { fileError, isMissing } from "./file-error.ts";
import type { Folder } from "./folder.ts";
import { ReplaceDestination } from "./replace-destination.ts";
import type { Target } from "./target.ts";

/** Opens a file for a run; throws where it cannot be written. */
export async function openFileDestination(
  config: FileConfig,
  folder: Folder,
  options: DestinationOptions,
): Promise<Destination> {
  const { stream, mode } = options;
  if (/[*?]/.test(stream)) throw refused("destination.stream", `"${stream}" is no name of one file.`);
  const path = await folder.fileAt(stream, "destination.stream");
  const found = await stat(path)
    .catch(async (error: unknown) => {
      if (isMissing(error)) await stat(dirname(path));
      else throw error;
    })
    .catch((error: unknown) => {
      throw fileError(error, dirname(path), "destination.stream");
    });
  if (found?.isDirectory()) throw refused("destination.stream", `${path} is a folder.`);
  const target = { path, format: formatOf(config, stream), isGzip: isWrittenGzip(config, stream) };
  if (mode !== "append" && mode !== "replace")
    throw refused("destination.mode", `A file is written by append or replace, not by ${mode}.`);
  await access(found ? path : dirname(path), constants.W_OK).catch((error: unknown) => {
    throw fileError(error, path, "destination.stream");
  });
  const destination = new LazyDestination(target, options);
  // What is there already is looked at now: it may not be what can be gone on with.
  if (mode === "append" ? found !== undefined : options.state !== null) await destination.open();
  return destination;
}

/** Makes the file when there is something to write: whoever only asks whether it could leaves no trace. */
class LazyDestination implements Destination {
  /** Batches stand in the file in the order they come. */
  readonly concurrency = 1;
  readonly #target: Target;
  readonly #options: DestinationOptions;
  #opened: Destination | undefined;

  constructor(target: Target, options: DestinationOptions) {
    this.#target = target;
    this.#options = options;
  }

  get warnings(): readonly string[] {
    return this.#opened?.warnings ?? [];
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    return (await this.open()).write(batch);
  }

  async complete(): Promise<void> {
    await (await this.open()).complete();
  }

  async close(): Promise<void> {
    await this.#opened?.close();
  }

  async open(): Promise<Destination> {
    const type = this.#options.mode === "append" ? AppendDestination : ReplaceDestination;
    this.#opened ??= await type.open(this.#target, this.#options).catch((error: unknown) => {
      throw fileError(error, this.#target.path, "destination.stream");
    });
    return this.#opened;
  }
}

function refused(path: string, message: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path });
}
