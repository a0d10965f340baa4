import { isDeepStrictEqual } from "node:util";
import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { fillDefaults } from "./defaults.ts";
import { deliverySchema } from "./delivery-schema.ts";
import { items, object } from "./json-shape.ts";
import type { Part } from "./schema-parts.ts";

/** What the language has and this version does not run. Shorten this list as it comes. */
export const unavailable = {
  steps: ["aggregate"],
  triggers: ["webhook", "event"],
  severalSources: true,
  /** Taken, and without effect. */
  delivery: ["ordering", "circuit_breaker", "rate_limit", "timeout", "idempotency", "dead_letter"],
  stepOptions: ["rate_limit", "concurrency"],
};

/** Says of everything in an integration that this version would not honour that it is not available. */
export function checkAvailable(spec: Json): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (path: string, what: string) =>
    errors.push({ path, message: `${what} is not available in this version` });
  const { trigger, sources, pipeline_spec } = object(spec);
  const triggerType = object(trigger).type;
  if (unavailable.triggers.includes(triggerType as string)) refuse("trigger.type", `the trigger ${triggerType}`);
  if (unavailable.severalSources && items(sources).length > 1) refuse("sources", "more than one source");
  items(object(pipeline_spec).steps).forEach((step, index) => {
    const { type } = object(step);
    if (unavailable.steps.includes(type as string))
      refuse(`pipeline_spec.steps[${index}].type`, `the step type ${type}`);
  });
  return errors;
}

/** Warns of options that this version takes and does not act on, where they are set to anything but their defaults. */
export function warnIdle(spec: Json): FieldError[] {
  const message = "has no effect in this version";
  const { delivery, pipeline_spec } = object(spec);
  const options = deliverySchema.properties as Record<string, Part>;
  const set = Object.entries(object(delivery)).filter(
    ([name, value]) => unavailable.delivery.includes(name) && !isDefault(options[name]!, value!),
  );
  return [
    ...set.map(([name]) => ({ path: `delivery.${name}`, message })),
    ...items(object(pipeline_spec).steps).flatMap((step, index) =>
      Object.entries(object(step))
        .filter(([name, value]) => unavailable.stepOptions.includes(name) && !(name === "concurrency" && value === 1))
        .map(([name]) => ({ path: `pipeline_spec.steps[${index}].${name}`, message })),
    ),
  ];
}

function isDefault(option: Part, value: Json): boolean {
  return isDeepStrictEqual(fillDefaults(option, value), fillDefaults(option, option.default as Json));
}
