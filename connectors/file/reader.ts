import { crc32 } from "node:zlib";
import type { ReadFailure } from "../sdk/index.ts";
import { rawLimit } from "../sdk/index.ts";
import { blockSize, type Window } from "./window.ts";

/** Lines and records longer than this are not read. */
export const recordLimit = 16 * 1024 * 1024;

/** A place between two records. */
export interface Place {
  /** In the file's content, decompressed. */
  readonly offset: number;
  /** Number of the line at `offset`, from 1. */
  readonly line: number;
  /** CRC-32 of the bytes just before `offset`, and how many: shows whether the file is still the one that was read. */
  readonly tail: readonly [bytes: number, crc: number];
  /** JSON only: number of the next element, from 1. */
  readonly element?: number;
  /** JSON only: offset at which the line begins. */
  readonly lineStart?: number;
  /** JSON only: objects one after another in place of an array. */
  readonly sequence?: boolean;
  /** JSON only: nothing more can be read, as the document is malformed here. */
  readonly broken?: boolean;
}

/** Records cut out of a file: a ReadBatch but for the file's name. */
export interface Cut {
  readonly data: Uint8Array;
  readonly count: number;
  /** Number of the first record (line or element); the others follow it unless `ordinals` says otherwise. */
  readonly first: number;
  readonly ordinals?: readonly number[] | undefined;
  readonly failures?: readonly ReadFailure[] | undefined;
  readonly place: Place;
}

export interface RecordReader {
  /** Null at the end. Throws where the content breaks off, after all records before that were given. */
  next(): Promise<Cut | null>;
}

export interface Aims {
  readonly records: number;
  readonly bytes: number;
}

export interface ReaderOptions {
  /** Named in messages. */
  readonly name: string;
  readonly window: Window;
  readonly aims: Aims;
  /** Where to go on, or null for the beginning. */
  readonly from: Place | null;
  /** Whether the last line is complete although no newline ends it. */
  readonly isComplete: (line: Buffer) => boolean;
}

const tailLength = 64;

export function tailOf(view: Buffer, end: number): Place["tail"] {
  const bytes = view.subarray(Math.max(0, end - tailLength), end);
  return [bytes.length, crc32(bytes)];
}

/** Index after a byte order mark, where the content begins with one. */
export function afterMark(view: Buffer): number {
  return view[0] === 0xef && view[1] === 0xbb && view[2] === 0xbf ? 3 : 0;
}

const nothing = Buffer.from("null");
const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** Leaves out the line at index `start`, however long, as a failure; the window then begins just after it. */
export async function skipLine(window: Window, start: number, name: string, line: number): Promise<Cut> {
  const raw = Buffer.from(window.view.subarray(start, start + rawLimit));
  const scratch = Buffer.allocUnsafeSlow(blockSize);
  let length = -start;
  let end = window.view.indexOf(10, start);
  while (end === -1 && !window.ended) {
    length += window.view.length;
    await window.discard(scratch);
    end = window.view.indexOf(10);
  }
  length += end === -1 ? window.view.length : end;
  const after = end === -1 ? window.view.length : end + 1;
  const tail = tailOf(window.view, after);
  await window.skipTo(window.offset + after);
  const message = `${name} line ${line} has ${megabytes(length)}; the longest record is ${megabytes(recordLimit)}.`;
  return {
    data: nothing,
    count: 1,
    first: line,
    failures: [{ index: 0, code: "VALIDATION_ERROR", message, raw }],
    place: { offset: window.offset, line: line + 1, tail },
  };
}
