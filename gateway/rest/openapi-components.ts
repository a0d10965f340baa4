import type { Json } from "../../connectors/sdk/index.ts";
import {
  deliverySchema,
  destinationSchema,
  ruleSchema,
  sourceSchema,
  stepSchema,
  triggerSchema,
} from "../../runtime/config/index.ts";
import { isObject } from "../../runtime/record/index.ts";
import { ledger } from "./ledger-schema.ts";
import * as live from "./live-schemas.ts";
import type { Description } from "./openapi.ts";
import * as resources from "./resource-schemas.ts";
import { circuit, durability, error } from "./schema-parts.ts";

const shapes = {
  ...resources,
  ...live,
  ledger,
  circuit,
  durability,
  failure: error,
  mappingRule: ruleSchema,
  source: sourceSchema,
  destination: destinationSchema,
  trigger: triggerSchema,
  step: stepSchema,
  delivery: deliverySchema,
};

/** Names of shapes, as clients see them: `runDetail`, which a module of shapes exports, is RunDetail. */
const names = new Map(
  Object.entries(shapes)
    .filter(([, part]) => isObject(part as Json) && ("properties" in (part as object) || "oneOf" in (part as object)))
    .map(([name, part]): [unknown, string] => [part, name[0]!.toUpperCase() + name.slice(1)]),
);

/**
 * An OpenAPI description with each shape that has a name among its components, once, and references in its places:
 * what is generated of it, the types of a client above all, has names then.
 */
export function withComponents({ components, ...description }: Description): object {
  const schemas: Record<string, unknown> = {};
  const referring = (value: unknown): unknown => {
    const name = names.get(value);
    if (name === undefined) return within(value);
    schemas[name] ??= within(value);
    return { $ref: `#/components/schemas/${name}` };
  };
  const within = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(referring);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, referring(each)]));
  };
  const described = within(description) as object;
  const { schemas: own, ...others } = components;
  const sorted = Object.entries({ ...schemas, ...own }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { ...described, components: { ...others, schemas: Object.fromEntries(sorted) } };
}
