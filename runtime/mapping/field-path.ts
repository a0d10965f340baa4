import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { isObject } from "../record/json.ts";
import { PathError, Scanner } from "./jsonpath/scanner.ts";

/** Where a field stands in a record: names and indexes, at least one. Always begins with a name where it is written. */
export type FieldPath = readonly (string | number)[];

const maxIndex = 65_535;
/** As many levels as a record may have; what walks and writes them stays within its stack. */
const maxParts = 1000;
const unquoted = /[^.[\]'"*\s]+/uy;

/** `a.b.c`, `items[0].name`, `["odd key"]`. Throws a PathError. */
export function parseFieldPath(text: string): FieldPath {
  if (text === "") throw new PathError("a field path is not empty", 0);
  if (text === "$" || text.startsWith("$.") || text.startsWith("$[")) throw new PathError(jsonPathHint(text), 0);
  const scanner = new Scanner(text);
  const path: (string | number)[] = [];
  do {
    if (path.length === 0 ? scanner.next !== "[" : scanner.take(".")) path.push(name(scanner));
    else path.push(bracketed(scanner));
  } while (!scanner.done);
  if (path.length > maxParts) throw new PathError(`more than ${maxParts} names and indexes`, 0);
  return path;
}

function name(scanner: Scanner): string {
  const found = scanner.match(unquoted);
  if (found === undefined) throw scanner.unexpected("expected a name");
  return found;
}

function bracketed(scanner: Scanner): string | number {
  if (!scanner.take("[")) throw scanner.unexpected('expected ".", "[" or the end');
  const quoted = scanner.next === '"' || scanner.next === "'";
  const part = quoted ? scanner.string() : index(scanner);
  scanner.expect("]");
  return part;
}

function index(scanner: Scanner): number {
  const start = scanner.at;
  const digits = scanner.match(/(?:0|[1-9]\d*)(?!\d)/y);
  if (digits === undefined) throw scanner.unexpected("expected an index from 0 or a name in quotes");
  if (Number(digits) > maxIndex) throw scanner.error(`an index above ${maxIndex} is refused`, start);
  return Number(digits);
}

function jsonPathHint(text: string): string {
  const rest = text.slice(1).replace(/^\.+/, "");
  const hint = rest === "" ? "*" : rest;
  return `a field path does not begin with "$"; write ${JSON.stringify(hint)}`;
}

/** The value there, or undefined. */
export function getField(record: Json, path: FieldPath): Json | undefined {
  let value: Json | undefined = record;
  for (const part of path) value = getPart(value, part);
  return value;
}

export function getPart(value: Json | undefined, part: string | number): Json | undefined {
  if (typeof part === "number") return Array.isArray(value) ? value[part] : undefined;
  return isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
}

/**
 * Writes a value, with the objects and arrays it needs where there is nothing or null. False, with the record as it
 * was, where anything else stands in the way. Changes the containers on the way: they must be the caller's own.
 */
export function setField(record: JsonObject, path: FieldPath, value: Json): boolean {
  let container: Json = record;
  for (let i = 0; i < path.length; i++) {
    const part = path[i] as string | number;
    if (typeof part === "number" ? !Array.isArray(container) : !isObject(container)) return false;
    const last = i === path.length - 1;
    const there: Json | undefined = last ? undefined : getPart(container, part);
    const next: Json = last ? value : (there ?? (typeof path[i + 1] === "number" ? [] : {}));
    if (next !== there) putPart(container as JsonObject | Json[], part, next);
    container = next;
  }
  return true;
}

export function putPart(container: JsonObject | Json[], part: string | number, value: Json): void {
  if (Array.isArray(container)) {
    while (container.length < (part as number)) container.push(null);
    container[part as number] = value;
  } else if (part === "__proto__") {
    Object.defineProperty(container, part, { value, writable: true, enumerable: true, configurable: true });
  } else {
    container[part] = value;
  }
}

/** Removes what is there; in an array the gap closes. Nothing there is no error. */
export function deleteField(record: JsonObject, path: FieldPath): void {
  const container = getField(record, path.slice(0, -1));
  const part = path[path.length - 1] as string | number;
  if (typeof part === "string" && isObject(container)) delete container[part];
  else if (typeof part === "number" && Array.isArray(container)) container.splice(part, 1);
}
