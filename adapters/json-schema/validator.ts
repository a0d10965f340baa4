import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { Validate, Validator } from "../../runtime/ports/connectors.ts";
import { toFieldErrors } from "./field-errors.ts";

/** JSON Schema 2020-12 by Ajv: every error is reported, and no value is ever changed or coerced. */
export function createValidator(): Validator {
  const ajv = new Ajv2020({
    allErrors: true,
    // Errors carry the schema around them, which knows the fields that exist.
    verbose: true,
    // `oneOf` by the field `type` reports the errors of the branch that was meant.
    discriminator: true,
    // Schemas come from connectors too, and may hold keywords of their own.
    strict: false,
    removeAdditional: false,
    coerceTypes: false,
    useDefaults: false,
    ownProperties: true,
    logger: false,
  });
  formats.default(ajv);
  const compiled = new WeakMap<object, Validate>();

  function compile(schema: object | boolean): Validate {
    const known = typeof schema === "object" ? compiled.get(schema) : undefined;
    if (known) return known;
    const check = ajv.compile(schema);
    const validate: Validate = (value) => (check(value) ? [] : toFieldErrors(check.errors ?? [], value));
    if (typeof schema === "object") compiled.set(schema, validate);
    return validate;
  }
  return { compile };
}
