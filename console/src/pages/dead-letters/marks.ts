import type { FieldError } from "../../api/problem.ts";
import type { IntegrationBody, PreviewedRecord } from "../../api/types.ts";
import { type Finding, findings } from "../integration/config-text.ts";
import type { Letter } from "./letter-text.ts";
import { type Rule, ruleOf } from "./rule.ts";

/** No text longer than this is searched for places: the page would stand still. In characters. */
const most = 1_000_000;

/** Where in a text the errors are; those whose field is not in it have no place. */
export function marksOf(text: string, errors: readonly FieldError[]): readonly Finding[] {
  if (text.length > most) return [];
  const known = errors.filter(({ path }) => path !== "").map(({ path, message }) => ({ path: fieldOf(path), message }));
  return findings(text, known).filter(({ from }) => from > 0);
}

/** What a dead letter failed with, by field: as the step said, else by the field that its rule reads. */
export function errorsOf({ info }: Letter, rule: Rule | null | undefined): readonly FieldError[] {
  if (info.errors.length > 0) return info.errors;
  return rule?.path == null ? [] : [{ path: rule.path, message: info.message }];
}

/** The same of what was tried now. */
export function previewErrors({ steps }: PreviewedRecord, integration: IntegrationBody): readonly FieldError[] {
  return steps.flatMap(({ step, failures }) =>
    failures.flatMap(({ errors = [], rule, message }) => {
      if (errors.length > 0) return errors;
      const path = rule === null ? null : (ruleOf(integration, step, rule)?.path ?? null);
      return path === null ? [] : [{ path, message }];
    }),
  );
}

/** `$.a.b` and `/a/b` as `a.b`. */
const fieldOf = (path: string): string =>
  path.startsWith("/") ? path.slice(1).replaceAll("/", ".") : path.replace(/^\$\.?/, "");
