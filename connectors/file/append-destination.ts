import { stat } from "node:fs/promises";
import type { Destination, DestinationOptions, WriteBatch, WriteResult } from "../sdk/index.ts";
import { Beginning } from "./beginning.ts";
import { openBytes } from "./bytes.ts";
import { CsvRow, csvColumns } from "./csv-row.ts";
import { CsvEncoder, type Encoder, encoderOf } from "./encoder.ts";
import { endOfGzipArray } from "./gzip-array.ts";
import { Output } from "./output.ts";
import { afterMark } from "./reader.ts";
import { type ArrayEnd, endOfArray, repairGzip, repairLines } from "./repair.ts";
import { bytesOf, encoded, endingOf, type FileState, resultOf, type Target } from "./target.ts";
import { Window } from "./window.ts";

/** What was written after the last checkpoint, or the run's beginning, is compared with what comes again, up to this much. */
const replayLimit = 64 * 1024 * 1024;

/**
 * Adds to a file as it stands. After a crash, batches that come again are recognised by their bytes and not written a
 * second time; the file is never cut back to a checkpoint, since another program may have appended to it as well. (A
 * JSON array has one writer by its nature, and is cut back.)
 */
export class AppendDestination implements Destination {
  /** Batches stand in the file in the order they come. */
  readonly concurrency = 1;
  readonly warnings: readonly string[];
  readonly #target: Target;
  readonly #output: Output;
  readonly #encoder: Encoder;
  readonly #beginning: Beginning;
  /** How much was there before is known from the run's checkpoint, or was kept. */
  #hasBegun: boolean;
  #records: number;
  /** What the next write begins with, to end a last line. */
  #lead: string;
  /** What stands in the file after the last checkpoint: it may come again. */
  #replay: Buffer | undefined;

  private constructor(
    target: Target,
    output: Output,
    encoder: Encoder,
    end: { records: number; lead: string; replay: Buffer | undefined } & Begun,
  ) {
    this.warnings = end.warnings;
    this.#target = target;
    this.#output = output;
    this.#encoder = encoder;
    this.#records = end.records;
    this.#lead = end.lead;
    this.#replay = end.replay;
    this.#beginning = end.beginning;
    this.#hasBegun = end.hasBegun;
  }

  static async open(target: Target, options: DestinationOptions): Promise<AppendDestination> {
    const beginning = new Beginning(target.path, options.runId);
    const state = (options.state as FileState | null) ?? (await beginning.read());
    const begun = { beginning, hasBegun: state !== null, warnings: state ? [] : await beginning.warnings() };
    if (target.format === "json") return await AppendDestination.#openArray(target, options, state, begun);
    const output = await Output.open(target.path, "a+");
    try {
      // The header of a file that was empty comes again, too.
      const hasHeader = target.format === "csv" && state?.bytes !== 0;
      const columns = hasHeader ? await columnsOf(target.path, options.signal) : undefined;
      const after = state === null ? 0 : output.length - state.bytes;
      const replay = after > 0 && after <= replayLimit ? await output.read(state!.bytes, output.length) : undefined;
      if (replay) output.length = state!.bytes;
      const made = new AppendDestination(target, output, encoderOf(target.format, columns), {
        records: output.length,
        lead: "",
        replay,
        ...begun,
      });
      if (!replay) await made.#repair(columns);
      return made;
    } catch (error) {
      await output.close();
      throw error;
    }
  }

  static async #openArray(
    target: Target,
    options: DestinationOptions,
    state: FileState | null,
    begun: Begun,
  ): Promise<AppendDestination> {
    const { path } = target;
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    const isThere = state !== null && state.bytes <= size;
    const end = isThere ? state : size > 0 ? await endOf(target, options.signal) : { bytes: 0, records: 0 };
    const output = size > 0 ? await Output.takeOver(path) : await Output.open(path, "w+");
    // What closes the array stays until the next write.
    output.length = end.bytes;
    const encoder = encoderOf("json", undefined);
    const rest = { records: end.records, lead: "", replay: undefined, ...begun };
    return new AppendDestination(target, output, encoder, rest);
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    const { isGzip } = this.#target;
    if (!this.#hasBegun) await this.#begin();
    const { bytes, failed } = await encoded(batch, this.#encoder, this.#records, isGzip, this.#lead);
    const added = batch.records.length - failed.length;
    if (bytes.length > 0) {
      const { length } = this.#output;
      const replay = this.#replay;
      const fresh = await this.#unwritten(bytes);
      const trailer = await endingOf(this.#encoder.closing(this.#records + added), this.#output.length + 1, isGzip);
      try {
        if (fresh) await this.#append(fresh, trailer);
      } catch (error) {
        // The beginning of it stood there before, does still, and is to be known again.
        if (replay && (fresh as Buffer).length < bytes.length) {
          this.#replay = replay;
          this.#output.length = length;
        }
        throw error;
      }
      this.#lead = "";
    }
    this.#records += added;
    return resultOf(this.#output.length, this.#records, this.#encoder, failed);
  }

  async complete(): Promise<void> {
    if (this.#records === 0) await this.#completeEmpty();
    await this.#beginning.remove();
  }

  async #completeEmpty(): Promise<void> {
    // An array without elements is one too, and so is a gzip file without lines.
    const { format, isGzip } = this.#target;
    const ending = await endingOf(this.#encoder.closing(0), this.#output.length, isGzip);
    if (format === "json") await this.#append(Buffer.alloc(0), ending);
    else if (ending.length > 0) await this.#output.append(ending);
  }

  async close(): Promise<void> {
    await this.#output.close();
  }

  async #begin(): Promise<void> {
    // A last line that is not ours is ended by itself: what follows is all that may come again.
    if (this.#lead !== "") await this.#append(await bytesOf(this.#lead, this.#target.isGzip), Buffer.alloc(0));
    this.#lead = "";
    await this.#beginning.write({ bytes: this.#output.length, records: this.#records });
    this.#hasBegun = true;
  }

  /** An array is written within: by its owner alone. Lines are added at the end, whoever else does so. */
  async #append(bytes: Buffer, trailer: Buffer): Promise<void> {
    if (this.#target.format === "json") await this.#output.own();
    await this.#output.append(bytes, trailer);
  }

  /** What of a batch is not in the file yet. */
  async #unwritten(bytes: Buffer): Promise<Buffer | undefined> {
    const replay = this.#replay;
    if (replay === undefined) return bytes;
    const length = Math.min(replay.length, bytes.length);
    if (replay.compare(bytes, 0, length, 0, length) !== 0) {
      // Cut otherwise, or not ours: it stays, and the batch follows it.
      this.#replay = undefined;
      this.#output.length += replay.length;
      await this.#repair(this.#encoder instanceof CsvEncoder ? this.#encoder.columns : undefined);
      return this.#lead === "" ? bytes : Buffer.concat([await bytesOf(this.#lead, this.#target.isGzip), bytes]);
    }
    this.#output.length += length;
    this.#replay = length < replay.length ? replay.subarray(length) : undefined;
    return length < bytes.length ? bytes.subarray(length) : undefined;
  }

  async #repair(columns: readonly string[] | undefined): Promise<void> {
    const { isGzip, format } = this.#target;
    this.#lead = isGzip ? await repairGzip(this.#output) : await repairLines(this.#output, format, columns);
    this.#records = this.#output.length;
  }
}

/** How much was there before. */
interface Begun {
  readonly beginning: Beginning;
  readonly hasBegun: boolean;
  readonly warnings: readonly string[];
}

/** Where an array can be gone on with. */
function endOf({ path, isGzip }: Target, signal: AbortSignal): Promise<ArrayEnd> {
  return isGzip ? endOfGzipArray(path, signal) : endOfArray(path, "none", signal);
}

/** Columns of a CSV file as its header says, or undefined where it has none yet. */
async function columnsOf(path: string, signal: AbortSignal): Promise<string[] | undefined> {
  const bytes = await openBytes(path);
  try {
    const window = new Window(bytes, signal, false);
    const row = new CsvRow();
    await window.slide(0);
    while (!row.parse(window.view, afterMark(window.view), window.ended)) await window.slide(0);
    return row.isEmpty ? undefined : csvColumns(row.fields);
  } finally {
    await bytes.close();
  }
}
