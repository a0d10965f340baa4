import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, joinPath, unknownName } from "../errors/index.ts";
import { items, object } from "./json-shape.ts";

/** Keywords of JSON Schema 2020-12 that hold a schema, several, or one a name. */
const single = ["additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames"];
const alone = [...single, "then", "unevaluatedItems", "unevaluatedProperties"];
const lists = ["allOf", "anyOf", "oneOf", "prefixItems"];
const named = ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/** Formats that no validator here knows: whatever a record has there passes. */
export function findUnknownFormats(path: string, schema: Json, known: ReadonlySet<string>): FieldError[] {
  const parts = object(schema);
  const { format } = parts;
  const unknown =
    typeof format === "string" && !known.has(format)
      ? [
          {
            path: joinPath(path, "format"),
            message: `${unknownName("format", format, [...known])}; nothing is checked`,
          },
        ]
      : [];
  const below = (at: string, part: Json | undefined) => (part === undefined ? [] : findUnknownFormats(at, part, known));
  return [
    ...unknown,
    ...alone.flatMap((keyword) => below(joinPath(path, keyword), parts[keyword])),
    ...lists.flatMap((keyword) =>
      items(parts[keyword]).flatMap((part, index) => below(`${joinPath(path, keyword)}[${index}]`, part)),
    ),
    ...named.flatMap((keyword) =>
      Object.entries(object(parts[keyword])).flatMap(([name, part]) =>
        below(joinPath(joinPath(path, keyword), formatPath([name])), part),
      ),
    ),
  ];
}
