import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, joinPath, messageOf, SluiceError } from "../errors/index.ts";
import type { CheckContext, Findings } from "./check-context.ts";
import { checkEnds } from "./check-ends.ts";
import { checkEnrich } from "./check-enrich.ts";
import { checkFieldPaths, checkLanguage } from "./check-language.ts";
import { checkSteps } from "./check-steps.ts";
import { findUnknownFormats } from "./find-formats.ts";
import { checkHookAuth } from "./hook-auth.ts";
import { integrationSchema } from "./integration-schema.ts";
import { items, object } from "./json-shape.ts";
import { checkSize } from "./spec-size.ts";

/** Everything that can be known of an integration without running it, all at once. Never throws. */
export function checkIntegration(spec: Json, context: CheckContext): Findings {
  const size = checkSize(spec);
  if (size.length > 0) return { errors: size, warnings: [] };
  // The compilers of mappings and predicates say more of their own parts than the schema does.
  const shape = context.validator
    .compile(integrationSchema)(spec)
    .filter(({ path }) => !isCompiled(path));
  const ends = checkEnds(spec, context);
  const enrich = checkEnrich(spec, context);
  const language = checkLanguage(spec);
  const schemas = checkSchemas(spec, context);
  const found = [
    ...ends.errors,
    ...checkSteps(spec),
    ...enrich.errors,
    ...language.errors,
    ...checkFieldPaths(spec),
    ...checkTrigger(spec, context),
    ...checkHookAuth(object(spec).trigger!),
    ...schemas.errors,
  ];
  // Where the shape is wrong already, a second sentence about the same field helps nobody.
  const shaped = new Set(shape.map(({ path }) => path));
  return {
    errors: [...shape, ...found.filter(({ path }) => !shaped.has(path))],
    warnings: [...ends.warnings, ...enrich.warnings, ...language.warnings, ...schemas.warnings],
  };
}

const isCompiled = (path: string): boolean =>
  /^mapping_spec\[|^pipeline_spec\.steps\[\d+\]\.((mapping|emit)\[|where\.)/.test(path);

/** The schemas of `validate` steps are JSON Schemas. */
function checkSchemas(spec: Json, { validator }: CheckContext): Findings {
  const errors: FieldError[] = [];
  const warnings: FieldError[] = [];
  for (const [index, step] of items(object(object(spec).pipeline_spec).steps).entries()) {
    const { type, schema } = object(step);
    if (type !== "validate" || typeof schema !== "object" || schema === null) continue;
    const path = `pipeline_spec.steps[${index}].schema`;
    try {
      validator.compile(schema);
      if (validator.formats) warnings.push(...findUnknownFormats(path, schema, validator.formats));
    } catch (error) {
      const what = error instanceof SluiceError ? "" : "is no JSON Schema (2020-12): ";
      errors.push({ path, message: what + messageOf(error) });
    }
  }
  return { errors, warnings };
}

function checkTrigger(spec: Json, { checkCron }: CheckContext): FieldError[] {
  const { type, cron, timezone } = object(object(spec).trigger);
  const errors: FieldError[] = [];
  if (type !== "schedule") return errors;
  const fault = typeof cron === "string" && cron !== "" ? checkCron(cron) : undefined;
  if (fault !== undefined) errors.push({ path: "trigger.cron", message: fault });
  if (typeof timezone === "string" && !isTimezone(timezone)) {
    const message = `${JSON.stringify(timezone)} is no time zone; use an IANA name such as Europe/Berlin`;
    errors.push({ path: "trigger.timezone", message });
  }
  return errors;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

/** The findings about a part, with paths from the whole. */
export function below(parent: string, findings: readonly FieldError[]): FieldError[] {
  return findings.map(({ path, message }) => ({ path: joinPath(parent, path), message }));
}
