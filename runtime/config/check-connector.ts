import type { ConnectorType, Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath } from "../errors/index.ts";
import type { Validator } from "../ports/connectors.ts";
import { connectorSchema } from "./config-schema.ts";
import { findType, parseTypeReference, unknownType } from "./connector-type.ts";
import { object } from "./json-shape.ts";
import { checkReferences, hasReference } from "./references.ts";
import { checkSize } from "./spec-size.ts";

export interface ConnectorCheckContext {
  readonly validator: Validator;
  /** All versions of all types. */
  readonly types: readonly ConnectorType[];
  /** A type that is not among them may come from a plugin that nobody asked: left out, it does not exist. */
  readonly othersMayExist?: boolean;
}

/** Everything that can be known of a connector without connecting. Paths are relative to the connector. */
export function checkConnector(
  connector: Json,
  { validator, types, othersMayExist }: ConnectorCheckContext,
): FieldError[] {
  const size = checkSize(connector);
  if (size.length > 0) return size;
  const errors = [...validator.compile(connectorSchema)(connector)];
  const { type: reference, config = {} } = object(connector);
  if (typeof reference !== "string" || reference === "") return errors;
  const type = findType(types, reference);
  if (type === undefined && othersMayExist === true) {
    const parsed = parseTypeReference(reference);
    if (parsed !== undefined && types.every((each) => each.type !== parsed.name)) return errors;
  }
  if (type === undefined) return [...errors, { path: "type", message: unknownType(types, reference) }];
  const references = findReferences(config, "config");
  errors.push(...references.flatMap(({ path, fault }) => (fault === undefined ? [] : [{ path, message: fault }])));
  // What a reference stands for is checked once it is resolved; whether anything may stand there, now.
  const unresolved = new Set(references.map(({ path }) => path));
  const found = validator.compile(type.config as object | boolean)(config);
  const shaped = new Set(errors.map(({ path }) => path));
  const below = found.map(({ path, message }) => ({ path: joinPath("config", path), message }));
  const isKnown = ({ path, message }: FieldError) => !unresolved.has(path) || isMisplaced.test(message);
  return [...errors, ...below.filter((error) => isKnown(error) && !shaped.has(error.path))];
}

/** How a validator says that a field of any value is too much. */
const isMisplaced = /^unknown field|^is not allowed here/;

/** Texts that hold references, with what is wrong with one. */
export function findReferences(value: Json | undefined, path: string): { path: string; fault: string | undefined }[] {
  if (typeof value === "string") return hasReference(value) ? [{ path, fault: checkReferences(value) }] : [];
  const entries: [string | number, Json][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : (Object.entries(object(value)) as [string, Json][]);
  return entries.flatMap(([segment, item]) => findReferences(item, joinPath(path, formatPath([segment]))));
}
