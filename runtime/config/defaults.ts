import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Part } from "./schema-parts.ts";

/** The value with the defaults of its schema filled in, at every level. The value is not changed. */
export function fillDefaults(schema: Part, value: Json): Json {
  if (Array.isArray(value)) {
    const items = schema.items as Part | undefined;
    return items === undefined ? value : value.map((item) => fillDefaults(items, item));
  }
  if (typeof value !== "object" || value === null) return value;
  const properties = branch(schema, value).properties as Record<string, Part> | undefined;
  if (properties === undefined) return value;
  const filled: JsonObject = { ...value };
  for (const [name, property] of Object.entries(properties)) {
    const given = Object.hasOwn(filled, name) ? filled[name] : (property.default as Json | undefined);
    if (given !== undefined) filled[name] = fillDefaults(property, given);
  }
  return filled;
}

/** Where a schema has one branch a type, that of the value. */
function branch(schema: Part, value: JsonObject): Part {
  const branches = schema.oneOf as readonly Part[] | undefined;
  const byType = (part: Part) => (part.properties as Record<string, Part>).type?.const === value.type;
  return branches?.find(byType) ?? schema;
}
