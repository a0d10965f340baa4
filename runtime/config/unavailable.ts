import type { Json } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { object } from "./json-shape.ts";

/** What the language has and this version does not run. Shorten this list as it comes. */
export const unavailable = {
  triggers: ["webhook"],
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
