import type { ConnectorType, Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath, unknownName } from "../errors/index.ts";
import type { Validator } from "../ports/connectors.ts";
import { connectorSchema } from "./config-schema.ts";
import { object } from "./json-shape.ts";
import { checkReferences, hasReference } from "./references.ts";

export interface ConnectorCheckContext {
  readonly validator: Validator;
  readonly types: readonly ConnectorType[];
}

/** Everything that can be known of a connector without connecting. Paths are relative to the connector. */
export function checkConnector(connector: Json, { validator, types }: ConnectorCheckContext): FieldError[] {
  const errors = [...validator.compile(connectorSchema)(connector)];
  const { type: typeName, config = {} } = object(connector);
  if (typeof typeName !== "string" || typeName === "") return errors;
  const type = types.find((each) => each.type === typeName);
  if (type === undefined) {
    const known = types.map((each) => each.type);
    return [...errors, { path: "type", message: unknownName("connector type", typeName, known) }];
  }
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

function findReferences(value: Json, path: string): { path: string; fault: string | undefined }[] {
  if (typeof value === "string") return hasReference(value) ? [{ path, fault: checkReferences(value) }] : [];
  const entries: [string | number, Json][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : (Object.entries(object(value)) as [string, Json][]);
  return entries.flatMap(([segment, item]) => findReferences(item, joinPath(path, formatPath([segment]))));
}
