import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { isObject, isRawNumber } from "../../runtime/record/index.ts";
import { parseBody } from "../rest/body.ts";
import { isWellKnown } from "./schema.ts";

/*
 * Between messages and the JSON of the REST API. They have the same names; besides that, a field `x_json` holds `x` as
 * JSON text, an enum's value is its name without the prefix, and what is null is left out.
 */

const suffix = "_json";

/** Deeper ones are sent as text: some clients read no message that is nested deeper than 100. */
const structDepth = 30;

/** A request as the REST API would have it. Throws VALIDATION_ERROR. */
export function readMessage(desc: DescMessage, bytes: Uint8Array): JsonObject {
  let json: JsonValue;
  try {
    const message = fromBinary(desc, bytes);
    refuseUnknown(desc, message);
    json = toJson(desc, message, { useProtoFieldName: true });
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("VALIDATION_ERROR", `the request is no ${desc.name}: ${messageOf(error)}`);
  }
  return fieldsOf(desc, json as JsonObject);
}

/** What a caller means and this server does not know is not passed over. */
function refuseUnknown(desc: DescMessage, message: Message): void {
  const [unknown] = message.$unknown ?? [];
  if (unknown !== undefined) {
    throw new SluiceError("VALIDATION_ERROR", `${desc.name} has no field of the number ${unknown.no}`);
  }
  const values = message as unknown as Readonly<Record<string, Message | undefined>>;
  for (const { fieldKind, message: inner, localName } of desc.fields) {
    if (fieldKind !== "message" || isWellKnown(inner)) continue;
    const value = values[localName];
    if (value !== undefined) refuseUnknown(inner, value);
  }
}

function fieldsOf(desc: DescMessage, json: JsonObject): JsonObject {
  const given: JsonObject = {};
  for (const field of desc.fields) {
    const value = json[field.name];
    if (value === undefined) continue;
    if (isText(field)) given[field.name.slice(0, -suffix.length)] = each(field, value, (text) => parse(field, text));
    else given[field.name] = each(field, value, (item) => itemOf(field, item));
  }
  return given;
}

function itemOf(field: DescField, item: Json): Json {
  const { enum: words, message } = field;
  if (words !== undefined) return wordOf(field, words, item);
  return message === undefined || isWellKnown(message) ? item : fieldsOf(message, item as JsonObject);
}

function wordOf(field: DescField, words: DescEnum, item: Json): Json {
  const prefix = (words.sharedPrefix ?? "").length;
  if (typeof item === "string") return item.slice(prefix).toLowerCase();
  const known = words.values.slice(1).map(({ name }) => name);
  throw refused(field.name, `${item} is none of ${known.join(", ")}`);
}

function parse({ name }: DescField, text: Json): Json {
  try {
    return parseBody(Buffer.from(text as string));
  } catch (error) {
    throw refused(name, messageOf(error).replace(/^the body/, "the text"));
  }
}

function refused(path: string, message: string): SluiceError {
  return new SluiceError("VALIDATION_ERROR", `${path}: ${message}`, [{ path, message }]);
}

/** What the REST API would answer, as a message. What the message has no field for is left out. */
export function writeMessage(desc: DescMessage, resource: JsonObject): Buffer {
  const message = fromJson(desc, jsonOf(desc, resource) as JsonValue);
  return Buffer.from(toBinary(desc, message));
}

function jsonOf(desc: DescMessage, resource: JsonObject): JsonObject {
  const json: JsonObject = {};
  for (const field of desc.fields) {
    const name = isText(field) ? field.name.slice(0, -suffix.length) : field.name;
    const value = resource[name];
    if (value === undefined) continue;
    // Of a pair one is sent: the structure, unless it would change something.
    const isPair = field.oneof !== undefined;
    if (isText(field)) {
      if (!isPair || !fitsStruct(value)) json[field.name] = each(field, value, (item) => JSON.stringify(item));
    } else if (value !== null && (!isPair || fitsStruct(value))) {
      json[field.name] = each(field, value, (item) => shownItem(field, item));
    }
  }
  return json;
}

function shownItem(field: DescField, item: Json): Json {
  const { enum: words, message } = field;
  if (words !== undefined) return `${words.sharedPrefix ?? ""}${item}`.toUpperCase();
  return message === undefined || isWellKnown(message) ? item : jsonOf(message, item as JsonObject);
}

const isText = ({ name }: DescField): boolean => name.endsWith(suffix);

/** For each item of a list or a map, or for the value itself. */
function each({ fieldKind }: DescField, value: Json, change: (item: Json) => Json): Json {
  if (fieldKind === "list") return (value as Json[]).map(change);
  if (fieldKind !== "map") return change(value);
  return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [key, change(item as Json)]));
}

/** Whether a Struct holds it without losing a digit. */
function fitsStruct(value: Json, depth = 0): boolean {
  if (depth > structDepth) return false;
  if (isRawNumber(value)) return false;
  if (Array.isArray(value)) return value.every((item) => fitsStruct(item, depth + 1));
  return !isObject(value) || Object.values(value).every((item) => fitsStruct(item as Json, depth + 1));
}
