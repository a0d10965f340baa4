import { isUtf8 } from "node:buffer";
import { fromBinary, isBinary, structuredType } from "../sdk/cloudevents.ts";
import { type EventsConfig, unwrapped } from "../sdk/events.ts";
import { type Json, parseExact, type ReadBatch, type ReadFailure, rawLimit, type SourceOptions } from "../sdk/index.ts";
import type { Format, StreamSettings } from "./config.ts";
import type { BatchReader } from "./record-batch.ts";
import type { TopicPartition } from "./topics.ts";

const lineFeed = 0x0a;
const jsonNull = Buffer.from("null");

/** A message that makes no record. */
class Unreadable extends Error {}

/** Puts messages of one partition, and then of another, together as records into batches that keep the aims. */
export class Messages {
  readonly #aims: SourceOptions["batch"];
  readonly #settings: StreamSettings;
  readonly #isPlain: boolean;
  #topic = "";
  #partition = 0;
  #out: Buffer = Buffer.allocUnsafeSlow(128 * 1024);
  #written = 0;
  #ordinals: number[] = [];
  #failures: ReadFailure[] = [];
  #searched: Buffer | undefined;
  #lineFeed = 0;

  constructor(settings: StreamSettings, aims: SourceOptions["batch"]) {
    this.#settings = settings;
    this.#aims = aims;
    const { record = "value", format = "json", cloudevents } = settings;
    this.#isPlain = record === "value" && format === "json" && cloudevents === undefined;
  }

  /** What was collected and not taken is dropped. */
  begin({ topic, partition }: TopicPartition): void {
    this.#topic = topic;
    this.#partition = partition;
    this.#clear();
  }

  get count(): number {
    return this.#ordinals.length;
  }

  /** Whether there is room for the message that the reader is at. */
  fits(from: BatchReader): boolean {
    const { records, bytes } = this.#aims;
    const { length } = this.#ordinals;
    return length === 0 || (length < records && this.#written + 1 + from.valueLength <= bytes);
  }

  /** False: it needs more room than it seemed to, in a batch of its own. */
  add(from: BatchReader): boolean {
    if (from.valueLength < 0 && this.#settings.tombstones === "skip") return true;
    if (!this.#isPlain) return this.#addMade(from);
    if (from.valueLength < 0) return this.#append(jsonNull, 0, jsonNull.length, from.offset);
    const end = from.valueStart + from.valueLength;
    if (this.#lineFeedFrom(from.buffer, from.valueStart) < end) return this.#addMade(from);
    return this.#append(from.buffer, from.valueStart, end, from.offset);
  }

  /** Each buffer is gone through once. */
  #lineFeedFrom(buffer: Buffer, start: number): number {
    if (this.#searched !== buffer || this.#lineFeed < start) {
      const found = buffer.indexOf(lineFeed, start);
      this.#searched = buffer;
      this.#lineFeed = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#lineFeed;
  }

  /** A place where messages are missing. */
  lost(offset: number, message: string, raw: Json): void {
    this.#fail("NOT_FOUND", message, Buffer.from(JSON.stringify(raw)), offset);
  }

  /** What was collected, at least one record. */
  take(cursor: Json): ReadBatch {
    const ordinals = this.#ordinals;
    const offset = ordinals[0] as number;
    const isWhole = (ordinals.at(-1) as number) - offset === ordinals.length - 1;
    const data = Buffer.from(this.#out.subarray(0, this.#written));
    if (this.#isPlain && !isUtf8(data)) this.#findNoUtf8(data);
    const failures = this.#failures;
    this.#clear();
    return {
      data,
      count: ordinals.length,
      cursor,
      position: { base: `${this.#topic}/${this.#partition}`, offset, ...(isWhole ? {} : { ordinals }) },
      ...(failures.length > 0 ? { failures } : {}),
    };
  }

  #clear(): void {
    this.#written = 0;
    this.#ordinals = [];
    this.#failures = [];
  }

  #append(bytes: Buffer, start: number, end: number, offset: number): boolean {
    const isFirst = this.#ordinals.length === 0;
    const needed = this.#written + 1 + end - start;
    if (!isFirst && needed - 1 > this.#aims.bytes) return false;
    if (needed > this.#out.length) {
      const longer = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, needed));
      this.#out.copy(longer, 0, 0, this.#written);
      this.#out = longer;
    }
    if (!isFirst) this.#out[this.#written++] = lineFeed;
    this.#written += bytes.copy(this.#out, this.#written, start, end);
    this.#ordinals.push(offset);
    return true;
  }

  #fail(code: ReadFailure["code"], message: string, raw: Buffer, offset: number): boolean {
    if (!this.#append(jsonNull, 0, jsonNull.length, offset)) return false;
    this.#failures.push({
      index: this.#ordinals.length - 1,
      code,
      message,
      raw: Buffer.from(raw.subarray(0, rawLimit)),
    });
    return true;
  }

  #addMade(from: BatchReader): boolean {
    let text: Buffer;
    try {
      text = Buffer.from(this.#textOf(from));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      const where = `The message at offset ${from.offset} of ${this.#topic}/${this.#partition}`;
      return this.#fail(
        "VALIDATION_ERROR",
        `${where} ${error.message}.`,
        valueIn(from) ?? Buffer.alloc(0),
        from.offset,
      );
    }
    return this.#append(text, 0, text.length, from.offset);
  }

  #textOf(from: BatchReader): string {
    const { record = "value", format = "json", key_format = "text", cloudevents } = this.#settings;
    const value = valueIn(from);
    const text =
      value === null ? "null" : cloudevents ? eventText(from, value, cloudevents) : jsonText(value, format, "value");
    if (record === "value") return text;
    const key =
      from.keyLength < 0
        ? "null"
        : jsonText(from.buffer.subarray(from.keyStart, from.keyStart + from.keyLength), key_format, "key");
    const place = `"topic":${JSON.stringify(this.#topic)},"partition":${this.#partition},"offset":${from.offset}`;
    // What is no time, such as nanoseconds, is none.
    const time = new Date(from.timestamp);
    const timestamp = from.timestamp < 0 || Number.isNaN(time.getTime()) ? null : time.toISOString();
    return `{"key":${key},"value":${text},"headers":${headersText(from)},${place},"timestamp":${JSON.stringify(timestamp)}}`;
  }

  /** Texts would come with other characters in place of what is no UTF-8. */
  #findNoUtf8(data: Buffer): void {
    for (let index = 0, start = 0; index < this.#ordinals.length; index++) {
      const lf = data.indexOf(lineFeed, start);
      const end = lf === -1 ? data.length : lf;
      const text = data.subarray(start, end);
      if (!isUtf8(text)) {
        const where = `The message at offset ${this.#ordinals[index]} of ${this.#topic}/${this.#partition}`;
        const message = `${where} has a value that is no UTF-8.`;
        this.#failures.push({ index, code: "VALIDATION_ERROR", message, raw: Buffer.from(text.subarray(0, rawLimit)) });
        // What is handed out for it says nothing, and takes no more room.
        text.fill(0x20);
        if (text.length >= 4) text.write("null");
      }
      start = end + 1;
    }
    this.#failures.sort((a, b) => a.index - b.index);
  }
}

function valueIn(from: BatchReader): Buffer | null {
  return from.valueLength < 0 ? null : from.buffer.subarray(from.valueStart, from.valueStart + from.valueLength);
}

/** JSON on one line, that is a JSON text and nothing else: what stands around it is not to be changed by it. */
function jsonText(bytes: Buffer, format: Format, what: string): string {
  if (format === "base64") return `"${bytes.toString("base64")}"`;
  if (!isUtf8(bytes)) throw new Unreadable(`has a ${what} that is no UTF-8`);
  const text = bytes.toString();
  if (format === "text") return JSON.stringify(text);
  try {
    JSON.parse(text);
  } catch {
    throw new Unreadable(`has a ${what} that is no JSON`);
  }
  // In valid JSON line ends stand between its parts alone.
  return text.replace(/[\r\n]/g, " ");
}

/** One that comes several times is an array; what is no text is Base64. */
function headersText(from: BatchReader): string {
  const headers: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const { name, value } of from.headers()) {
    const text = value === null ? null : isUtf8(value) ? value.toString() : value.toString("base64");
    const before = headers[name];
    headers[name] = before === undefined ? text : [before, text].flat();
  }
  return JSON.stringify(headers);
}

function eventText(from: BatchReader, value: Buffer, config: EventsConfig): string {
  const headers: Record<string, string | undefined> = {};
  for (const { name: given, value: bytes } of from.headers()) {
    const name = given.toLowerCase();
    if (bytes !== null && name.startsWith("ce_") && !isUtf8(bytes)) {
      throw new Unreadable(`is no CloudEvent: its header ${name.slice(0, 100)} is no UTF-8`);
    }
    headers[name] = bytes?.toString();
  }
  let text: string;
  if (isBinary(headers, "ce_")) {
    try {
      text = JSON.stringify(fromBinary(headers, value, parseExact, "ce_"));
    } catch {
      throw new Unreadable("is no CloudEvent: a header or its data cannot be read");
    }
  } else if (headers["content-type"] !== undefined && !headers["content-type"].startsWith(structuredType)) {
    throw new Unreadable(`is no CloudEvent: its content-type is ${headers["content-type"].slice(0, 100)}`);
  } else {
    if (!isUtf8(value)) throw new Unreadable("is no CloudEvent: it is no UTF-8");
    text = value.toString();
  }
  const event = unwrapped(text, config);
  if ("fault" in event) throw new Unreadable(`is no CloudEvent: ${event.fault}`);
  return event.text.replace(/[\r\n]/g, " ");
}
