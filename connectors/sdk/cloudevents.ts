import { isExact } from "./exact.ts";
import type { Json, JsonObject } from "./json.ts";

/**
 * CloudEvents 1.0 in the JSON event format, and its binary mode over headers. The `cloudevents` package takes 16 of the
 * 25 events that the conformance suite calls invalid, and loses digits; what it does is written here.
 */

/** Header values are texts; names are in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export const structuredType = "application/cloudevents+json";
export const batchType = "application/cloudevents-batch+json";

const attributeName = /^[a-z0-9]+$/;
/** RFC 3339. */
const timestamp =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
/** RFC 2046, with parameters. */
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+*-]+(\s*;\s*[\w!#$&^.+-]+=("[^"]*"|[^\s;"]+))*$/;
const absoluteUri = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/;
const uriReference = /^[^\s<>"{}|\\^`]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: which no attribute may hold
const control = /[\u0000-\u001f\u007f-\u009f]/;
/** Of texts whose length is a multiple of 4. In groups of four it would take V8's stack for those of some megabytes. */
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** What is no UTF-8 is no text; it would come with other characters in its place. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const jsonType = /^[^;]*[/+]json\s*(;|$)/i;
const textType = /^(text\/|application\/xml\b|[^;]*\+xml\b)/i;

/** Why a value is no CloudEvent in the JSON format; undefined where it is one. Attributes that are null are not set. */
export function eventFault(event: Json): string | undefined {
  if (!isObject(event)) return "it is no object";
  if (event.specversion !== "1.0") return 'its specversion is not "1.0"';
  for (const name of ["id", "source", "type"]) if (!isText(event[name])) return `it has no ${name}`;
  for (const [name, value] of Object.entries(event)) {
    if (name === "data" || value === null) continue;
    if (name === "data_base64") {
      if (typeof value !== "string" || value.length % 4 !== 0 || !base64.test(value))
        return "its data_base64 is no Base64";
      continue;
    }
    const fault = attributeFault(name, value);
    if (fault !== undefined) return fault;
  }
  const isTwice = event.data !== undefined && event.data !== null && (event.data_base64 ?? null) !== null;
  return isTwice ? "it has both data and data_base64" : undefined;
}

function attributeFault(name: string, value: Json): string | undefined {
  if (!attributeName.test(name)) return `its attribute ${JSON.stringify(name)} has a name of other than a-z and 0-9`;
  if (typeof value === "string") {
    if (control.test(value) || !value.isWellFormed()) return `its ${name} holds a character that no attribute may hold`;
  }
  switch (name) {
    case "time":
      return typeof value === "string" && timestamp.test(value) ? undefined : "its time is not of RFC 3339";
    case "datacontenttype":
      return typeof value === "string" && mediaType.test(value) ? undefined : "its datacontenttype is no media type";
    case "dataschema":
      return typeof value === "string" && absoluteUri.test(value) ? undefined : "its dataschema is no absolute URI";
    case "source":
      return uriReference.test(value as string) ? undefined : "its source is no URI reference";
    case "subject":
      return isText(value) ? undefined : "its subject is no text";
    default: {
      const isInteger = typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31;
      return isInteger || typeof value === "boolean" || typeof value === "string"
        ? undefined
        : `its ${name} is no text, boolean or integer of 32 bits`;
    }
  }
}

/** The data of a valid event: bytes are their Base64. Null where it has none. */
export function dataOf(event: JsonObject): Json {
  return event.data ?? event.data_base64 ?? null;
}

/** The bindings of HTTP and NATS encode what headers cannot hold; Kafka's can hold any text. */
const isEncoded = (prefix: string) => prefix === "ce-";

/** A valid event in binary mode, with header names that begin with `prefix` (`ce-`, or `ce_` in Kafka). */
export function toBinary(event: JsonObject, prefix = "ce-"): { headers: Record<string, string>; body: Buffer } {
  const { data = null, data_base64: bytes = null, datacontenttype = null, ...attributes } = event;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const text = String(value);
    if (value !== null) headers[`${prefix}${name}`] = isEncoded(prefix) ? encodedHeader(text) : text;
  }
  if (bytes !== null) {
    if (datacontenttype !== null) headers["content-type"] = datacontenttype as string;
    return { headers, body: Buffer.from(bytes as string, "base64") };
  }
  if (data === null) return { headers, body: Buffer.alloc(0) };
  const type = (datacontenttype as string | null) ?? "application/json";
  headers["content-type"] = type;
  const isPlain = typeof data === "string" && !jsonType.test(type);
  return { headers, body: Buffer.from(isPlain ? data : JSON.stringify(data)) };
}

/** Whether headers are those of an event in binary mode. */
export function isBinary(headers: Headers, prefix = "ce-"): boolean {
  return headers[`${prefix}specversion`] !== undefined;
}

/** The event of a message in binary mode, which may be none yet: see eventFault. Throws an Error for a bad header or data. */
export function fromBinary(headers: Headers, body: Buffer, parse: (text: string) => Json, prefix = "ce-"): JsonObject {
  const event: JsonObject = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(prefix) || value === undefined) continue;
    const text = [value].flat()[0] as string;
    event[name.slice(prefix.length)] = isEncoded(prefix) ? decodedHeader(text) : text;
  }
  const type = [headers["content-type"] ?? []].flat()[0];
  if (type !== undefined) event.datacontenttype = type;
  if (body.length === 0) return event;
  if (type !== undefined && jsonType.test(type)) event.data = parse(utf8.decode(body));
  else if (type !== undefined && textType.test(type)) event.data = utf8.decode(body);
  else event.data_base64 = body.toString("base64");
  return event;
}

/** HTTP binding, 3.1.3.2: what is no visible ASCII, and `"` and `%`, is percent-encoded. */
export function encodedHeader(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/gu, (part) =>
    part.replace(/[\s\S]/gu, (character) => [...Buffer.from(character)].map(percent).join("")),
  );
}

/** Throws an Error where what is encoded is no UTF-8. */
export function decodedHeader(header: string): string {
  const unquoted = /^"(.*)"$/s.exec(header)?.[1]?.replace(/\\(.)/gs, "$1") ?? header;
  return unquoted.replace(/(?:%[\da-fA-F]{2})+/g, (encoded) => {
    const bytes = Buffer.from(encoded.replaceAll("%", ""), "hex");
    return utf8.decode(bytes);
  });
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function isText(value: Json | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isExact(value);
}
