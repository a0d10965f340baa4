import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Json, WriteBatch, WriteFailure, WriteResult } from "../sdk/index.ts";
import type { Format } from "./config.ts";
import { CsvEncoder, type Encoder } from "./encoder.ts";

/** A file to write, and how. */
export interface Target {
  readonly path: string;
  readonly format: Format;
  readonly isGzip: boolean;
}

/** The state of a write: how much of the file belongs to the records confirmed so far. */
export interface FileState {
  readonly bytes: number;
  readonly records: number;
  /** CSV only. */
  readonly columns?: readonly string[];
}

const compress = promisify(gzip);

/** A text's bytes in the file; compressed, a member of its own, so that every length after a write is a valid file. */
export async function bytesOf(text: string, isGzip: boolean): Promise<Buffer> {
  return isGzip ? await compress(text) : Buffer.from(text);
}

/** What ends a file of `length` bytes: a compressed one without any would be no gzip file. */
export async function endingOf(closing: string, length: number, isGzip: boolean): Promise<Buffer> {
  return closing === "" && (!isGzip || length > 0) ? Buffer.alloc(0) : await bytesOf(closing, isGzip);
}

/** What a write has to say. */
export function resultOf(
  bytes: number,
  records: number,
  encoder: Encoder,
  failed: readonly WriteFailure[],
): WriteResult {
  const columns = encoder instanceof CsvEncoder && encoder.columns ? { columns: encoder.columns } : {};
  const state: FileState = { bytes, records, ...columns };
  return { state: state as unknown as Json, ...(failed.length > 0 ? { failed } : {}) };
}

/** Encodes a batch. */
export async function encoded(
  batch: WriteBatch,
  encoder: Encoder,
  before: number,
  isGzip: boolean,
  lead = "",
): Promise<{ bytes: Buffer; failed: WriteFailure[] }> {
  const { text, failed } = encoder.encode(batch.records, before);
  return { bytes: text === "" ? Buffer.alloc(0) : await bytesOf(lead + text, isGzip), failed };
}
