import type { MsgHdrs } from "@nats-io/transport-node";
import { fromBinary, isBinary } from "../sdk/cloudevents.ts";
import { unwrapped } from "../sdk/events.ts";
import {
  type Cursor,
  type Json,
  type JsonObject,
  parseExact,
  type ReadBatch,
  type ReadFailure,
  rawLimit,
} from "../sdk/index.ts";
import type { StreamConfig } from "./config.ts";

export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
  /** Of JetStream. */
  readonly sequence?: number;
  /** RFC 3339. */
  readonly time?: string;
}

const nothing = Buffer.from("null");
const lf = 10;
const space = 32;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes JSON texts of messages, or says why a message is no record. */
export function textsOf({ record = "value", format = "json", cloudevents }: StreamConfig): (message: Message) => Text {
  const textOf = (message: Message): Text => {
    if (cloudevents) return eventOf(message, cloudevents);
    const { data } = message;
    if (format === "base64") return { text: Buffer.from(JSON.stringify(Buffer.from(data).toString("base64"))) };
    if (format === "json") return data.length === 0 ? { text: nothing } : { text: withoutLf(data) };
    try {
      return { text: Buffer.from(JSON.stringify(utf8.decode(data))) };
    } catch {
      return { fault: "The message is no text in UTF-8." };
    }
  };
  if (record === "value") return textOf;
  return (message) => {
    const value = textOf(message);
    if (value.text === undefined) return value;
    const { subject, headers, sequence, time } = message;
    try {
      // What is no JSON by itself must not become a part of some.
      if (format === "json") JSON.parse(utf8.decode(value.text));
    } catch {
      return { fault: "The message is no JSON." };
    }
    const rest = JSON.stringify({ subject, headers: headersOf(headers), sequence, time });
    return { text: Buffer.concat([Buffer.from(`${rest.slice(0, -1)},"value":`), value.text, Buffer.from("}")]) };
  };
}

/** `text`: without LF. */
export type Text =
  | { readonly text: Uint8Array; readonly fault?: undefined }
  | { readonly text?: undefined; readonly fault: string };

function eventOf({ data, headers }: Message, config: NonNullable<StreamConfig["cloudevents"]>): Text {
  try {
    const named: Record<string, string> = {};
    for (const [name, [value = ""]] of headers ?? []) named[name.toLowerCase()] = value;
    const text = isBinary(named) ? JSON.stringify(fromBinary(named, Buffer.from(data), parseExact)) : utf8.decode(data);
    const event = unwrapped(text, config);
    if ("fault" in event) return { fault: `The message is no CloudEvent: ${event.fault}.` };
    return { text: withoutLf(Buffer.from(event.text)) };
  } catch {
    return { fault: "The message is no CloudEvent: a header or its data cannot be read." };
  }
}

/** In JSON, an LF stands between tokens alone. */
function withoutLf(data: Uint8Array): Uint8Array {
  if (data.indexOf(lf) < 0) return data;
  const copy = Buffer.from(data);
  for (let at = copy.indexOf(lf); at >= 0; at = copy.indexOf(lf, at + 1)) copy[at] = space;
  return copy;
}

export function headersOf(headers: MsgHdrs | undefined): JsonObject {
  const found: [string, Json][] = [];
  for (const [name, values] of headers ?? []) found.push([name, values.length === 1 ? (values[0] as string) : values]);
  return Object.fromEntries(found);
}

/** Collects messages into a batch. */
export class Collector {
  readonly #aims: { readonly records: number; readonly bytes: number };
  readonly #base: string;
  #texts: Uint8Array[] = [];
  #bytes = 0;
  #ordinals: number[] = [];
  #failures: ReadFailure[] = [];

  constructor(base: string, aims: { readonly records: number; readonly bytes: number }) {
    this.#base = base;
    this.#aims = aims;
  }

  get count(): number {
    return this.#texts.length;
  }

  /** Whether so many bytes more are beyond the aims. */
  isFullFor(bytes: number): boolean {
    return this.count > 0 && (this.count >= this.#aims.records || this.#bytes + bytes > this.#aims.bytes);
  }

  add({ text, fault }: Text, ordinal: number, raw: Uint8Array): void {
    if (text === undefined) {
      const failure = { index: this.count, code: "VALIDATION_ERROR" as const, message: fault };
      this.#failures.push({ ...failure, raw: raw.slice(0, rawLimit) });
    }
    this.#take(text ?? nothing, ordinal);
  }

  /** What cannot be read any more. */
  lost(message: string, what: JsonObject, ordinal: number): void {
    const raw = Buffer.from(JSON.stringify(what));
    this.#failures.push({ index: this.count, code: "NOT_FOUND", message, raw });
    this.#take(nothing, ordinal);
  }

  #take(text: Uint8Array, ordinal: number): void {
    this.#texts.push(text);
    this.#bytes += text.length + 1;
    this.#ordinals.push(ordinal);
  }

  take(cursor: Cursor): ReadBatch {
    const data = joined(this.#texts, this.#bytes);
    const [offset = 0] = this.#ordinals;
    const isPlain = this.#ordinals.every((ordinal, index) => ordinal === offset + index);
    const batch: ReadBatch = {
      data,
      count: this.count,
      cursor,
      position: { base: this.#base, offset, ...(!isPlain && { ordinals: this.#ordinals }) },
      ...(this.#failures.length > 0 && { failures: this.#failures }),
    };
    this.#texts = [];
    this.#bytes = 0;
    this.#ordinals = [];
    this.#failures = [];
    return batch;
  }
}

/** `bytes`: of all, with an LF behind each. */
function joined(texts: readonly Uint8Array[], bytes: number): Uint8Array {
  const data = Buffer.allocUnsafe(Math.max(0, bytes - 1));
  let at = 0;
  for (const text of texts) {
    if (at > 0) data[at++] = lf;
    data.set(text, at);
    at += text.length;
  }
  return data;
}
