import { hash } from "node:crypto";
import { batchType, eventFault, fromBinary, isBinary, structuredType } from "../../connectors/sdk/cloudevents.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import { hookId } from "../../runtime/hooks/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { parseBody } from "../rest/body.ts";
import type { HookRequest, Proof } from "./proof.ts";

/** A record as a request has it. */
export interface Received {
  /** JSON in UTF-8, without LF. */
  readonly text: Uint8Array;
  /** As HookRecord has it. */
  readonly id: string | null;
}

/** Of one request. */
const maxRecords = 1_000;
/** Of one form, as many as an object may have names. */
const maxFields = 10_000;

/**
 * The records of a request that has proved itself, and by what each is known when it comes again: what was signed,
 * whatever else the request says of itself; of one that is not signed, what the sender calls it. JSON is the record as it stands, an array a record for each element; a form is an object of its fields; CloudEvents are
 * records in the JSON format, whichever mode they come in. Throws VALIDATION_ERROR.
 */
export function receivedRecords(request: HookRequest, proof: Proof): Received[] {
  const { headers, body } = request;
  const type = (headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const id = idOf(request, proof);
  const idOfPart = (part?: number) => (id === null ? null : hookId(id, part));
  const signedId = (part?: number) => (proof.isSigned ? idOfPart(part) : null);
  if (type === batchType) {
    const events = parseBody(bytes);
    if (!Array.isArray(events)) throw refused("a batch of CloudEvents is an array");
    if (events.length > maxRecords) throw refused(`a batch may have ${maxRecords} events`);
    return events.map((event, index) => eventRecord(event, `event ${index}`, signedId(index)));
  }
  if (type === structuredType) return [eventRecord(parseBody(bytes), "the body", signedId())];
  if (isBinary(headers)) return [eventRecord(binaryEvent(request, bytes), "the request", signedId())];
  if (type !== "" && type !== "application/json" && !type.endsWith("+json"))
    return [{ text: recordText(type, bytes), id: idOfPart() }];
  // Its digits are kept by what keeps it as it came.
  const value = parseBody(bytes, JSON.parse);
  if (!Array.isArray(value)) return [{ text: oneLine(bytes), id: idOfPart() }];
  if (value.length > maxRecords) throw refused(`an array may have ${maxRecords} elements`);
  return (parseJson(utf8(bytes) as string) as Json[]).map((each, index) => ({
    text: Buffer.from(JSON.stringify(each)),
    id: idOfPart(index),
  }));
}

function recordText(type: string, bytes: Buffer): Uint8Array {
  if (type === "application/x-www-form-urlencoded") return Buffer.from(JSON.stringify(fieldsOf(bytes)));
  const isText = type.startsWith("text/") || type === "application/xml" || type.endsWith("+xml");
  const text = isText ? utf8(bytes) : undefined;
  const content = text === undefined ? { body_base64: bytes.toString("base64") } : { body: text };
  return Buffer.from(JSON.stringify({ content_type: type, ...content }));
}

/** Valid JSON holds an LF only between its parts. */
function oneLine(bytes: Buffer): Buffer {
  const text = bytes[0] === 0xef && bytes[1] === 0xbb ? bytes.subarray(3) : bytes;
  if (!text.includes(0x0a)) return text;
  const line = Buffer.from(text);
  for (let at = line.indexOf(0x0a); at !== -1; at = line.indexOf(0x0a, at + 1)) line[at] = 0x20;
  return line;
}

const ampersand = 0x26;

function fieldsOf(bytes: Buffer): JsonObject {
  // Counted before it is parsed: the time that parsing takes grows faster than their number.
  let count = 1;
  for (let at = bytes.indexOf(ampersand); at !== -1; at = bytes.indexOf(ampersand, at + 1)) {
    if (++count > maxFields) refuse(`a form may have ${maxFields} fields`);
  }
  const fields = Object.create(null) as JsonObject;
  for (const [name, value] of new URLSearchParams(utf8(bytes) ?? refuse("the form is not UTF-8"))) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else fields[name] = [before, value];
  }
  return fields;
}

function binaryEvent({ headers }: HookRequest, bytes: Buffer): Json {
  try {
    return fromBinary(headers, bytes, () => parseBody(bytes));
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw refused("a header of the CloudEvent, or its data, cannot be read");
  }
}

function eventRecord(event: Json, what: string, signedId: string | null): Received {
  const fault = eventFault(event);
  if (fault !== undefined) throw refused(`${what} is no CloudEvent: ${fault}`);
  const { source, id } = event as { readonly source: string; readonly id: string };
  return { text: Buffer.from(JSON.stringify(event)), id: signedId ?? hookId(`event\0${source}\0${id}`) };
}

/** By what was signed, where anything was: whoever has seen a request cannot change that, and can change all else. */
function idOf({ headers, body }: HookRequest, { isSigned, id, signedAt }: Proof): string | null {
  if (id !== undefined) return `signed\0${id}`;
  const named = headers["x-github-delivery"] ?? headers["idempotency-key"] ?? headers["webhook-id"];
  if (!isSigned && named === undefined) return null;
  const digest = hash("sha256", body, "base64");
  return isSigned ? `at\0${signedAt ?? ""}\0${digest}` : `named\0${named}\0${digest}`;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function utf8(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function refuse(message: string): never {
  throw refused(message);
}

function refused(message: string): SluiceError {
  return new SluiceError("VALIDATION_ERROR", message);
}
