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
  const open = walk(schema, [schema], config, [], (path, value) => {
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
  return walk(schema, [schema], open, [], put) as JsonObject;
}

/** A copy of the value in which every secret was passed through `replace`. */
function walk(
  root: JsonSchema,
  schemas: readonly JsonSchema[],
  value: Json,
  path: readonly Segment[],
  replace: (path: readonly Segment[], value: Json) => Json,
): Json {
  const all = branches(schemas, root);
  if (all.some((schema) => schema.writeOnly === true)) return value === null ? value : replace(path, value);
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const items = all.flatMap((schema) => [
        ...listed(schema.items),
        ...listed(schema.contains),
        ...listed((schema.prefixItems as JsonSchema[] | undefined)?.[index]),
        ...listed(schema.unevaluatedItems),
      ]);
      return walk(root, items, item, [...path, index], replace);
    });
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, item]) => {
    const properties = all.flatMap((schema) => property(schema, name));
    return [name, walk(root, properties, item, [...path, name], replace)];
  });
  return Object.fromEntries(entries) as JsonObject;
}

type SchemaObject = Exclude<JsonSchema, boolean>;

const listed = (schema: unknown): JsonSchema[] => (schema === undefined ? [] : [schema as JsonSchema]);

/** Schemas and all the alternatives within them, what they refer to included: a field secret in one of them is secret. */
function branches(schemas: readonly JsonSchema[], root: JsonSchema): SchemaObject[] {
  const found = new Set<SchemaObject>();
  const add = (schema: JsonSchema | undefined): void => {
    if (schema === undefined || typeof schema === "boolean" || found.has(schema)) return;
    found.add(schema);
    for (const keyword of ["anyOf", "oneOf", "allOf"]) {
      for (const inner of (schema[keyword] as JsonSchema[] | undefined) ?? []) add(inner);
    }
    for (const keyword of ["if", "then", "else"]) add(schema[keyword] as JsonSchema | undefined);
    for (const inner of Object.values((schema.dependentSchemas as Record<string, JsonSchema> | undefined) ?? {}))
      add(inner);
    if (typeof schema.$ref === "string") add(referred(schema.$ref, root));
  };
  for (const schema of schemas) add(schema);
  return [...found];
}

/** By a JSON Pointer within the schema; undefined for any other reference. */
function referred(ref: string, root: JsonSchema): JsonSchema | undefined {
  if (ref !== "#" && !ref.startsWith("#/")) return undefined;
  let at: unknown = root;
  for (const part of ref.split("/").slice(1)) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at as JsonSchema;
}

function property(schema: SchemaObject, name: string): JsonSchema[] {
  const own = (schema.properties as Record<string, JsonSchema> | undefined) ?? {};
  const patterns = Object.entries((schema.patternProperties as Record<string, JsonSchema> | undefined) ?? {});
  const named = [
    ...(Object.hasOwn(own, name) ? [own[name] as JsonSchema] : []),
    ...patterns.flatMap(([pattern, inner]) => (new RegExp(pattern, "u").test(name) ? [inner] : [])),
  ];
  return [...(named.length > 0 ? named : listed(schema.additionalProperties)), ...listed(schema.unevaluatedProperties)];
}
