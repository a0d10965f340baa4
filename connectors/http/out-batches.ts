import { crc32 } from "node:zlib";
import type { Json, ReadFailure, SourceOptions } from "../sdk/index.ts";
import type { PageState } from "./pagination.ts";

/** A place between two records. */
export interface Place {
  readonly page: PageState;
  /** How many records of the page stand before it. */
  readonly skip: number;
  /** CRC-32 of the last of them: shows whether the page is still what it was. */
  readonly crc: number;
  /** Highest value of the cursor field so far; null before there was one. */
  readonly max: Json;
}

/** The same after a record; `crc` where the record is not handed out as it stood in the page. */
export type RecordPlace = Omit<Place, "crc"> & { readonly crc?: number };

export interface OutBatch {
  readonly data: Uint8Array;
  readonly count: number;
  /** Number of its first record, from 1. */
  readonly first: number;
  /** After its last record. */
  readonly place: Place;
  readonly failures: readonly ReadFailure[];
}

/** Puts records together into batches that keep the aims; one may hold records of several pages. */
export class OutBatches {
  readonly #aims: SourceOptions["batch"];
  readonly #ready: OutBatch[] = [];
  #out: Buffer = Buffer.allocUnsafeSlow(256 * 1024);
  #written = 0;
  #lastStart = 0;
  #count = 0;
  /** Records handed out or collected so far. */
  #total: number;
  #place: RecordPlace = { page: null, skip: 0, max: null };
  #failures: ReadFailure[] = [];
  /** In place of the last record's. */
  #crc: number | undefined;

  constructor(aims: SourceOptions["batch"], total: number) {
    this.#aims = aims;
    this.#total = total;
  }

  get total(): number {
    return this.#total;
  }

  /** Makes room: what was collected before is a batch where the next record does not fit. */
  reserve(bytes: number): void {
    if (this.#count > 0 && this.#written + 1 + bytes > this.#aims.bytes) this.finish();
    const needed = this.#written + 1 + bytes;
    if (needed > this.#out.length) {
      const longer = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, needed));
      this.#out.copy(longer, 0, 0, this.#written);
      this.#out = longer;
    }
  }

  /** `place`: after this record. */
  add(buffer: Buffer, start: number, end: number, place: RecordPlace, failure?: Omit<ReadFailure, "index">): void {
    if (failure) this.#failures.push({ ...failure, index: this.#count });
    if (this.#count > 0) this.#out[this.#written++] = 0x0a;
    this.#lastStart = this.#written;
    this.#written += buffer.copy(this.#out, this.#written, start, end);
    this.#count++;
    this.#total++;
    this.#place = place;
    this.#crc = place.crc;
    if (this.#count === this.#aims.records) this.finish();
  }

  /** What is collected ends at this place too: all between was left out, or a page ended. */
  moveTo(place: Place): void {
    if (this.#count === 0) return;
    this.#place = place;
    this.#crc = place.crc;
  }

  finish(): void {
    if (this.#count === 0) return;
    const crc = this.#crc ?? crc32(this.#out.subarray(this.#lastStart, this.#written));
    this.#ready.push({
      data: Buffer.from(this.#out.subarray(0, this.#written)),
      count: this.#count,
      first: this.#total - this.#count + 1,
      place: { ...this.#place, crc },
      failures: this.#failures,
    });
    this.#failures = [];
    this.#written = 0;
    this.#count = 0;
  }

  /** The batches that are complete. */
  take(): OutBatch[] {
    return this.#ready.splice(0);
  }
}
