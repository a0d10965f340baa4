import type { JsonObject } from "../../api/types.ts";

/** Names and types of a schema's fields in a line: `id integer, name string or null`. */
export function fieldsOf(schema: JsonObject | boolean): string {
  const properties = typeof schema === "boolean" ? undefined : schema.properties;
  if (properties === undefined || properties === null || typeof properties !== "object") return "any";
  return Object.entries(properties)
    .map(([name, part]) => {
      const type = (part as { readonly type?: string | readonly string[] } | null)?.type;
      return type === undefined ? name : `${name} ${[type].flat().join(" or ")}`;
    })
    .join(", ");
}
