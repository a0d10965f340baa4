import { batchType, dataOf, eventFault, structuredType, toBinary } from "./cloudevents.ts";
import type { OutRecord } from "./connector.ts";
import { ConnectorError } from "./errors.ts";
import { parseExact } from "./exact.ts";
import type { Expressions } from "./expressions.ts";
import type { Json, JsonObject } from "./json.ts";
import { compiled, sentence, settingError, textOf } from "./setting.ts";

/** How records and CloudEvents become each other, as a connector's config says it. */
export interface EventsConfig {
  readonly mode?: "structured" | "binary" | "batch";
  readonly record?: "data" | "event";
  readonly source?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly time?: string;
}

/** A record as an event: with headers of its own in binary mode. */
export interface WrittenEvent {
  readonly text: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes CloudEvents of records. */
export class EventWriter {
  readonly contentType: string;
  readonly isBatch: boolean;
  readonly #mode: NonNullable<EventsConfig["mode"]>;
  readonly #prefix: string;
  /** Undefined: records are events. */
  readonly #attributes: ((record: Json) => Json) | undefined;

  /** `at`: where `config` stands; `prefix`: of an attribute's header. */
  constructor(config: EventsConfig, expressions: Expressions, at: string, prefix = "ce-") {
    this.#prefix = prefix;
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
      const { headers, body } = toBinary(value as JsonObject, this.#prefix);
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
    return { text, headers: { ...toBinary(attributes, this.#prefix).headers, "content-type": "application/json" } };
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
export function unwrapped(text: string, { record = "data" }: EventsConfig): { text: string } | { fault: string } {
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
