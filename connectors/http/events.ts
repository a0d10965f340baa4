import {
  batchType,
  dataOf,
  eventFault,
  fromBinary,
  type Headers,
  structuredType,
  toBinary,
} from "../sdk/cloudevents.ts";
import { ConnectorError, type Expressions, type Json, type JsonObject, type OutRecord } from "../sdk/index.ts";
import type { CloudEventsConfig } from "./config.ts";
import { CutError, type Cutter, recordLimit, type Take } from "./cutter.ts";
import { sentence, settingError } from "./errors.ts";
import { parseExact } from "./json.ts";
import { compiled, textOf } from "./request.ts";

/** A record as an event: with headers of its own in binary mode. */
export interface WrittenEvent {
  readonly text: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes CloudEvents of records. */
export class EventWriter {
  readonly contentType: string;
  readonly isBatch: boolean;
  readonly #mode: NonNullable<CloudEventsConfig["mode"]>;
  /** Undefined: records are events. */
  readonly #attributes: ((record: Json) => Json) | undefined;

  constructor(config: CloudEventsConfig, expressions: Expressions, at: string) {
    const { mode = "structured", record = "data", source, type, subject, time } = config;
    this.#mode = mode;
    this.isBatch = mode === "batch";
    this.contentType = this.isBatch ? batchType : structuredType;
    if (record === "event") return;
    if (source === undefined || type === undefined) {
      const name = source === undefined ? "source" : "type";
      throw settingError("VALIDATION_ERROR", `${at}.${name} is needed to make events of records`, `${at}.${name}`);
    }
    const templates = Object.fromEntries(Object.entries({ source, type, subject, time }).filter(([, text]) => text));
    this.#attributes = compiled(at, () => expressions.template(templates as JsonObject));
  }

  write({ id, text, value }: OutRecord): WrittenEvent {
    if (!this.#attributes) {
      checked(value);
      if (this.#mode !== "binary") return { text, headers: {} };
      const { headers, body } = toBinary(value as JsonObject);
      return { text: body, headers };
    }
    const found = Object.entries(this.#attributes(value) as JsonObject).filter(
      ([, each]) => each !== null && each !== "",
    );
    const event: JsonObject = { specversion: "1.0", id };
    for (const [name, each] of found) event[name] = textOf(each);
    event.datacontenttype = "application/json";
    checked(event);
    // The record's text stays as it is, digit for digit.
    if (this.#mode !== "binary") return { text: `${JSON.stringify(event).slice(0, -1)},"data":${text}}`, headers: {} };
    const { datacontenttype: _, ...attributes } = event;
    return { text, headers: { ...toBinary(attributes).headers, "content-type": "application/json" } };
  }
}

function checked(event: Json): void {
  const fault = eventFault(event);
  if (fault === undefined) return;
  throw new ConnectorError("VALIDATION_ERROR", sentence(`The record makes no CloudEvent: ${fault}`), {
    fault: "record",
  });
}

/** What a record is of an event that was read, or why it is none. */
export function unwrapped(text: string, { record = "data" }: CloudEventsConfig): { text: string } | { fault: string } {
  let event: Json;
  try {
    event = parseExact(text);
  } catch {
    return { fault: "it is no JSON" };
  }
  const fault = eventFault(event);
  if (fault !== undefined) return { fault };
  return { text: record === "event" ? text : JSON.stringify(dataOf(event as JsonObject)) };
}

/** An answer that is one event in binary mode. */
export class BinaryEventCutter implements Cutter {
  readonly #headers: Headers;
  readonly #take: Take;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(headers: Headers, take: Take) {
    this.#headers = headers;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (this.#bytes > recordLimit) throw new CutError("the event is too long");
  }

  end(): Json {
    let event: JsonObject;
    try {
      event = fromBinary(this.#headers, Buffer.concat(this.#pieces), parseExact);
    } catch {
      throw new CutError("it is no CloudEvent: a header or its data cannot be read");
    }
    const text = Buffer.from(JSON.stringify(event));
    this.#take(text, 0, text.length);
    return null;
  }
}
