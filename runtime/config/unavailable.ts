import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { fillDefaults } from "./defaults.ts";
import { deliverySchema } from "./delivery-schema.ts";
import { object } from "./json-shape.ts";
import type { Part } from "./schema-parts.ts";

/** What the language has and this version does not run. Shorten this list as it comes. */
export const unavailable = {
  triggers: ["webhook", "event"],
  /** Taken, and without effect. */
  delivery: [] as readonly string[],
};

/** Says of everything in an integration that this version would not honour that it is not available. */
export function checkAvailable(spec: Json): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (path: string, what: string) =>
    errors.push({ path, message: `${what} is not available in this version` });
  const { trigger } = object(spec);
  const triggerType = object(trigger).type;
  if (unavailable.triggers.includes(triggerType as string)) refuse("trigger.type", `the trigger ${triggerType}`);
  return errors;
}

/** Warns of options that this version takes and does not act on, where they are set to anything but their defaults. */
export function warnIdle(spec: Json): FieldError[] {
  const message = "has no effect in this version";
  const { delivery } = object(spec);
  const options = deliverySchema.properties as Record<string, Part>;
  return Object.entries(object(delivery))
    .filter(([name, value]) => unavailable.delivery.includes(name) && !isDefault(options[name]!, value!))
    .map(([name]) => ({ path: `delivery.${name}`, message }));
}

function isDefault(option: Part, value: Json): boolean {
  return isDeepStrictEqual(fillDefaults(option, value), fillDefaults(option, option.default as Json));
}
