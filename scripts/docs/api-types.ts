import { openApi } from "../../gateway/rest/openapi.ts";
import { withComponents } from "../../gateway/rest/openapi-components.ts";
import { routes } from "../../gateway/rest/routes.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** TypeScript of the shapes that have a name in the API's description: what its clients in this repository use. */
export function apiTypes(): string {
  const { components } = withComponents(openApi(routes, "")) as {
    components: { schemas: { [name: string]: Schema } };
  };
  const types = Object.entries(components.schemas).map(([name, schema]) => {
    const type = typeOf(schema, "");
    const isInterface = schema.properties !== undefined && schema.type === "object";
    return `${comment(schema, "")}export ${isInterface ? `interface ${name} ${type}` : `type ${name} = ${type};`}\n`;
  });
  return `import type { Json, JsonObject } from "../json.ts";\n\n${types.join("\n")}`;
}

const scalars: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

function typeOf(schema: Schema, indent: string): string {
  const { $ref, type, oneOf, anyOf } = schema;
  if ($ref !== undefined) return $ref.split("/").at(-1)!;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const either = oneOf ?? anyOf;
  if (either !== undefined) return either.map((each) => typeOf(each, indent)).join(" | ");
  if (type === undefined) return "Json";
  return [type]
    .flat()
    .map((each) => scalars[each] ?? (each === "array" ? arrayOf(schema, indent) : objectOf(schema, indent)))
    .join(" | ");
}

function arrayOf({ items }: Schema, indent: string): string {
  const item = items === undefined ? "Json" : typeOf(items, indent);
  return item.includes(" | ") && !item.startsWith("{") ? `readonly (${item})[]` : `readonly ${item}[]`;
}

function objectOf({ properties, required = [], additionalProperties }: Schema, indent: string): string {
  const inner = `${indent}  `;
  if (properties === undefined) {
    if (typeof additionalProperties !== "object") return "JsonObject";
    return `{ readonly [name: string]: ${typeOf(additionalProperties, indent)} }`;
  }
  const fields = Object.entries(properties).map(([name, field]) => {
    const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
    const optional = required.includes(name) ? "" : "?";
    return `${comment(field, inner)}${inner}readonly ${key}${optional}: ${typeOf(field, inner)};\n`;
  });
  return `{\n${fields.join("")}${indent}}`;
}

const comment = ({ description }: Schema, indent: string): string =>
  description === undefined ? "" : `${indent}/** ${description.replaceAll("*/", "*\\/")} */\n`;
