import type { ConnectorType, JsonSchema } from "../../connectors/sdk/index.ts";
import type { Validator } from "../ports/connectors.ts";
import { configSchema, connectorSchema } from "./config-schema.ts";
import { deliverySchema } from "./delivery-schema.ts";
import { destinationSchema, integrationSchema } from "./integration-schema.ts";
import { badReference, reference } from "./references.ts";
import type { Part } from "./schema-parts.ts";
import { ruleSchema } from "./step-schema.ts";

/**
 * The JSON Schema of the configuration file for editors: all that the definitions say, and what the checks say of
 * fields that depend on each other, as far as a schema can. It refuses nothing that `checkConfig` takes.
 */
export function publishedSchema(types: readonly ConnectorType[], validator: Validator): Part {
  const { $schema, title, ...rest } = publish(configSchema) as Part;
  const properties = rest.properties as Record<string, Part>;
  return {
    $schema,
    $id: "urn:sluice:configuration",
    title,
    ...rest,
    properties: { ...properties, connectors: { ...properties.connectors, items: connectorOf(types, validator) } },
    $defs: {
      rule: ruleDefinition(),
      reference: { type: "string", pattern: reference.source },
      "checked-references": { not: { type: "string", pattern: badReference.source } },
    },
  };
}

type Fields = Record<string, JsonSchema>;

const needs = (...names: string[]): Part => ({ required: names });
const when = (field: string, value: string): Part => ({
  properties: { [field]: { const: value } },
  required: [field],
});
const ifThen = (condition: Part, consequence: JsonSchema): Part => ({
  if: condition,
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: consequence,
});
const neither = (...names: string[]): Part => ({ not: { anyOf: names.map((name) => needs(name)) } });

/** What the checks ask for beyond the shape, by the part it is about. */
const additions: ReadonlyMap<JsonSchema, Part> = new Map<JsonSchema, Part>([
  [
    integrationSchema,
    {
      allOf: [
        {
          ...ifThen(
            { properties: { trigger: when("type", "webhook") }, ...needs("trigger") },
            { ...neither("source", "sources"), properties: { trigger: needs("auth") } },
          ),
          else: { oneOf: [needs("source"), needs("sources")] },
        },
        { oneOf: [needs("destination"), needs("destinations")] },
      ],
    },
  ],
  [destinationSchema, ifThen(when("mode", "upsert"), needs("key"))],
  [deliverySchema, ifThen(when("ordering", "key"), needs("key"))],
]);

/** A schema without what editors make nothing of; `wrap` has its say about every schema below it. */
export function publish(schema: JsonSchema, wrap: (below: JsonSchema) => JsonSchema = (below) => below): JsonSchema {
  if (typeof schema === "boolean") return schema;
  if (schema === ruleSchema) return { $ref: "#/$defs/rule" };
  const below = (part: unknown) => wrap(publish(part as JsonSchema, wrap));
  const { discriminator, $comment, properties, items, additionalProperties, oneOf, ...rest } = schema;
  const branches = oneOf as Part[] | undefined;
  return {
    ...rest,
    // What editors show in place of a pattern.
    ...($comment !== undefined && { patternErrorMessage: `must be ${$comment}` }),
    ...(properties !== undefined && { properties: mapFields(properties as Fields, below) }),
    ...(items !== undefined && { items: below(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: below(additionalProperties) }),
    ...(branches !== undefined && {
      oneOf: branches.map((part) => ({ title: typeOf(part), ...(publish(part, wrap) as Part) })),
    }),
    ...additions.get(schema),
  };
}

const mapFields = (fields: Fields, change: (field: JsonSchema) => JsonSchema): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, change(field)]));

const typeOf = (branch: Part): string =>
  (branch.properties as Record<string, { const?: string }> | undefined)?.type?.const ?? "";

/** A rule writes, from one origin, or drops; the rules of `each` are rules again. */
function ruleDefinition(): Part {
  const { properties, ...rest } = ruleSchema;
  const fields = mapFields(properties as Fields, (field) => publish(field));
  const origins = ["source", "template", "value"];
  const pairs = origins.flatMap((one, index) => origins.slice(index + 1).map((other) => needs(one, other)));
  return {
    title: "rule",
    ...rest,
    properties: { ...fields, each: { ...(fields.each as Part), items: { $ref: "#/$defs/rule" } } },
    ...ifThen(needs("drop"), { propertyNames: { enum: ["drop", "when"] } }),
    else: {
      ...needs("destination"),
      anyOf: [...origins, "transform"].map((name) => needs(name)),
      not: { anyOf: pairs },
      dependentRequired: { each: ["source"] },
      allOf: [ifThen(when("on_error", "default"), needs("default"))],
    },
  };
}

/** A connector: `config` as its type wants it. A type that is not known here may come from a plugin. */
function connectorOf(types: readonly ConnectorType[], validator: Validator): Part {
  const published = publish(connectorSchema) as Part;
  const fields = published.properties as Record<string, Part>;
  const known = types.map(({ type, title, description }) => ({ const: type, title, description }));
  const { type, description, minLength } = fields.type!;
  return {
    ...published,
    properties: { ...fields, type: { description, anyOf: [...known, { type, minLength }] } },
    allOf: types.map(({ type, config }) => {
      const required = validator.compile(config as object | boolean)({}).length > 0;
      const properties = { config: { default: {}, ...configOf(config) } };
      return ifThen(when("type", type), { properties, ...(required && needs("config")) });
    }),
  };
}

function configOf(config: JsonSchema): Part {
  const { $schema, ...rest } = publish(config, orReference) as Part;
  return rest;
}

/** In a connector's config a reference may stand wherever a value does. */
function orReference(schema: JsonSchema): JsonSchema {
  if (typeof schema === "boolean") return schema;
  const checked = { $ref: "#/$defs/checked-references" };
  const { description, ...rest } = schema;
  const plain = rest.type === "string" && rest.pattern === undefined && rest.format === undefined;
  if (plain) return { ...schema, ...checked };
  const shown = {
    ...(description !== undefined && { description }),
    ...(rest.default !== undefined && { default: rest.default }),
  };
  return { ...shown, anyOf: [rest, { $ref: "#/$defs/reference" }], ...checked };
}
