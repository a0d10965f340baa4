import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import type { EventsConfig } from "../sdk/events.ts";
import { unwrapped } from "../sdk/events.ts";
import { type Json, parseExact, rawLimit, sentence } from "../sdk/index.ts";
import type { Response } from "./client.ts";
import type { Cutter } from "./cutter.ts";
import { type Incremental, noOrder } from "./incremental.ts";
import type { OutBatches, RecordPlace } from "./out-batches.ts";
import type { PageState } from "./pagination.ts";
import type { ReadableStream } from "./stream.ts";

export interface CursorField {
  /** The field path. */
  readonly name: string;
  readonly of: (record: Json) => Json | undefined;
}

const nothing = Buffer.from("null");

/** A page is not what it was when a part of it was handed out. */
export class PageChanged extends Error {}

/** The records of one page, over all tries to read it. */
export class PageReading {
  readonly #stream: ReadableStream;
  readonly #out: OutBatches;
  readonly #incremental: Incremental | undefined;
  readonly #field: CursorField | undefined;
  readonly #state: PageState;
  /** How many records were dealt with, and the CRC of the last of them: 0 where it is not known. */
  #done: { skip: number; crc: number };
  #index = 0;
  #crc = 0;
  #last: Buffer = Buffer.alloc(0);
  #lastLength = 0;

  constructor(
    stream: ReadableStream,
    out: OutBatches,
    incremental: Incremental | undefined,
    field: CursorField | undefined,
    state: PageState,
    done: { skip: number; crc: number },
  ) {
    this.#stream = stream;
    this.#out = out;
    this.#incremental = incremental;
    this.#field = field;
    this.#state = state;
    this.#done = done;
  }

  begin(headers: Response["headers"]): Cutter {
    if (this.#lastLength > 0) this.#done.crc = crc32(this.#last.subarray(0, this.#lastLength));
    this.#index = 0;
    this.#crc = 0;
    return this.#stream.cutter(headers, this.#take);
  }

  /** All of the page is handed out. */
  restart(): void {
    this.#done = { skip: 0, crc: 0 };
    this.#lastLength = 0;
  }

  end() {
    if (this.#index < this.#done.skip) throw new PageChanged();
    const isLast = this.#stream.paginator.needsLast && this.#lastLength > 0;
    const last = isLast ? parseExact(this.#last.toString("utf8", 0, this.#lastLength)) : undefined;
    return { count: this.#index, crc: this.#crc, last };
  }

  readonly #take = (buffer: Buffer, start: number, end: number): void => {
    const text = buffer.subarray(start, end);
    this.#index++;
    this.#crc = crc32(text, this.#crc);
    const { skip, crc } = this.#done;
    if (this.#index === skip && crc !== 0 && crc32(text) !== crc) throw new PageChanged();
    if (this.#index >= skip) this.#remember(text);
    if (this.#index <= skip) return;
    if (this.#stream.events) this.#unwrap(text);
    else this.#add(buffer, start, end);
    this.#done.skip = this.#index;
  };

  /** An event's data, or a failure where it is no event. */
  #unwrap(raw: Buffer): void {
    const found = isUtf8(raw)
      ? unwrapped(raw.toString(), this.#stream.events as EventsConfig)
      : { fault: "it is no UTF-8" };
    if ("text" in found) {
      const text = Buffer.from(found.text);
      this.#add(text, 0, text.length);
      return;
    }
    this.#out.reserve(4);
    const failure = {
      code: "VALIDATION_ERROR" as const,
      message: sentence(`A record of ${this.#stream.name} is no CloudEvent: ${found.fault}`),
      raw: Buffer.from(raw.subarray(0, rawLimit)),
    };
    this.#out.add(nothing, 0, nothing.length, this.#place, failure);
  }

  /** After the record in hand. */
  get #place(): RecordPlace {
    const place = { page: this.#state, skip: this.#index, max: this.#incremental?.max ?? null };
    return this.#stream.events ? { ...place, crc: crc32(this.#last.subarray(0, this.#lastLength)) } : place;
  }

  #add(buffer: Buffer, start: number, end: number): void {
    const out = this.#out;
    out.reserve(end - start);
    if (this.#incremental && this.#isKnown(buffer.toString("utf8", start, end))) return;
    out.add(buffer, start, end, this.#place);
  }

  #isKnown(text: string): boolean {
    let record: Json;
    try {
      record = parseExact(text);
    } catch {
      // Whoever reads it says what is wrong with it.
      return false;
    }
    const field = this.#field as CursorField;
    const value = field.of(record);
    if (typeof value === "object" && value !== null && !JSON.isRawJSON(value)) throw noOrder(field.name);
    return (this.#incremental as Incremental).isKnown(text, value, this.#stream.readsAll);
  }

  #remember(text: Buffer): void {
    if (text.length > this.#last.length) this.#last = Buffer.allocUnsafeSlow(text.length * 2);
    this.#lastLength = text.copy(this.#last);
  }
}
