import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import { formatPath, type Segment } from "../errors/index.ts";
import { isObject } from "../record/index.ts";

/** What stands in a config where a secret is, and, given back, keeps the secret that is there. */
export const redacted = "***";

/** A config with its secrets cut out: `open` has `***` in their places, `secrets` them by field path. */
export interface SplitConfig {
  readonly open: JsonObject;
  readonly secrets: JsonObject;
}

/** Cuts out what the schema marks `writeOnly`. */
export function splitSecrets(schema: JsonSchema, config: JsonObject): SplitConfig {
  const secrets: JsonObject = {};
  const open = walk([schema], config, [], (path, value) => {
    secrets[formatPath(path)] = value;
    return redacted;
  });
  return { open: open as JsonObject, secrets };
}

/** Puts secrets back in their places; a place without one keeps its `***`. */
export function joinSecrets(schema: JsonSchema, open: JsonObject, secrets: JsonObject): JsonObject {
  const put = (path: readonly Segment[], value: Json) => {
    const name = formatPath(path);
    return value === redacted && Object.hasOwn(secrets, name) ? secrets[name]! : value;
  };
  return walk([schema], open, [], put) as JsonObject;
}

/** A copy of the value in which every secret was passed through `replace`. */
function walk(
  schemas: readonly JsonSchema[],
  value: Json,
  path: readonly Segment[],
  replace: (path: readonly Segment[], value: Json) => Json,
): Json {
  const all = schemas.flatMap(branches);
  if (all.some((schema) => schema.writeOnly === true)) return value === null ? value : replace(path, value);
  if (Array.isArray(value)) {
    const items = all.flatMap((schema): JsonSchema[] =>
      schema.items === undefined ? [] : [schema.items as JsonSchema],
    );
    return value.map((item, index) => walk(items, item, [...path, index], replace));
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, item]) => {
    const properties = all.flatMap((schema) => property(schema, name));
    return [name, walk(properties, item, [...path, name], replace)];
  });
  return Object.fromEntries(entries) as JsonObject;
}

type SchemaObject = Exclude<JsonSchema, boolean>;

/** A schema and all the alternatives within it: a field that is secret in one of them is secret. */
function branches(schema: JsonSchema): SchemaObject[] {
  if (typeof schema === "boolean") return [];
  const inner = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((list) => (list as JsonSchema[] | undefined) ?? []);
  const conditional = [schema.then, schema.else].filter((each) => each !== undefined) as JsonSchema[];
  return [schema, ...[...inner, ...conditional].flatMap(branches)];
}

function property(schema: SchemaObject, name: string): JsonSchema[] {
  const properties = schema.properties as Record<string, JsonSchema> | undefined;
  if (properties !== undefined && Object.hasOwn(properties, name)) return [properties[name]!];
  const rest = schema.additionalProperties as JsonSchema | undefined;
  return rest === undefined ? [] : [rest];
}
