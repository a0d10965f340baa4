import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { Json, JsonSchema } from "../sdk/index.ts";

/** A validator as the gateway uses it: nothing is dropped, nothing coerced. */
export function validatorOf(schema: JsonSchema): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });
  formats.default(ajv);
  ajv.addVocabulary(["x-expression"]);
  return ajv.compile(schema as object) as (value: unknown) => boolean;
}

/** Where the schema of a config is open or leaves a member undescribed, as sentences. */
export function flawsOf(schema: JsonSchema, path = "config"): string[] {
  if (typeof schema === "boolean") return [];
  const flaws: string[] = [];
  const properties = schema.properties as Readonly<Record<string, JsonSchema>> | undefined;
  if (properties && schema.additionalProperties !== false) flaws.push(`${path} takes unknown fields`);
  for (const [name, member] of Object.entries(properties ?? {})) {
    const at = `${path}.${name}`;
    if (typeof member === "boolean" || typeof member.description !== "string") flaws.push(`${at} has no description`);
    flaws.push(...flawsOf(member, at));
  }
  for (const keyword of ["oneOf", "anyOf", "allOf"]) {
    const branches = (schema[keyword] ?? []) as readonly JsonSchema[];
    flaws.push(...branches.filter(isObjectWithMembers).flatMap((branch) => flawsOf(branch, path)));
  }
  if (typeof schema.items === "object") flaws.push(...flawsOf(schema.items as JsonSchema, `${path}[]`));
  return flaws;
}

/** A branch such as `{ required: [...] }` only narrows its parent down. */
function isObjectWithMembers(schema: JsonSchema): boolean {
  return typeof schema === "object" && schema.type === "object";
}

/** Members of a config whose values are texts, wherever they stand. */
export function secretMembers(
  schema: JsonSchema,
  path = "config",
): { name: string; path: string; isSecret: boolean }[] {
  if (typeof schema === "boolean") return [];
  const found: { name: string; path: string; isSecret: boolean }[] = [];
  for (const [name, member] of Object.entries((schema.properties ?? {}) as Readonly<Record<string, JsonSchema>>)) {
    if (typeof member === "boolean") continue;
    const at = `${path}.${name}`;
    if (member.type === "string") found.push({ name, path: at, isSecret: member.writeOnly === true });
    else found.push(...secretMembers(member, at));
  }
  const nested = ["oneOf", "anyOf", "allOf"].flatMap((keyword) => (schema[keyword] ?? []) as readonly JsonSchema[]);
  found.push(...nested.flatMap((branch) => secretMembers(branch, path)));
  if (typeof schema.items === "object") found.push(...secretMembers(schema.items as JsonSchema, `${path}[]`));
  return found;
}

/** The texts at a path such as `config.auth.token` or `config.items[].secret`. */
export function textsAt(config: Json, path: string): string[] {
  const found = path
    .split(".")
    .slice(1)
    .reduce<Json[]>(
      (values, name) =>
        values.flatMap((value) => {
          const member = name.replace("[]", "");
          if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
          const inner = value[member];
          return inner === undefined ? [] : name.endsWith("[]") ? (inner as Json[]) : [inner];
        }),
      [config],
    );
  return found.filter((value) => typeof value === "string");
}
