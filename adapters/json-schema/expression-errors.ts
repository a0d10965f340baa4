import type { ErrorObject } from "ajv/dist/2020.js";
import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";

/** Says in a connector's config schema that a value is written in the mapping language, and which part of it it is. */
export const expressionKeyword = "x-expression";

const compile: Readonly<Record<string, (value: Json) => unknown>> = {
  path: (value) => typeof value !== "string" || expressions.path(value),
  field: (value) => typeof value !== "string" || expressions.field(value),
  template: expressions.template,
};

/** What does not compile, for Ajv; a kind that is not known passes, as an unknown keyword does. */
export function expressionErrors(kind: string, value: Json): boolean {
  const found = faults(kind, value);
  expressionErrors.errors = found.map(({ path, message }) => ({
    keyword: expressionKeyword,
    params: { path },
    message,
  }));
  return found.length === 0;
}
expressionErrors.errors = [] as Partial<ErrorObject>[];

function faults(kind: string, value: Json): readonly FieldError[] {
  try {
    if (Object.hasOwn(compile, kind)) compile[kind]!(value);
    return [];
  } catch (error) {
    if (error instanceof SluiceError && error.errors.length > 0) return error.errors;
    return [{ path: "", message: messageOf(error) }];
  }
}
