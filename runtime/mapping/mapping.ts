import type { JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldError, SluiceError } from "../errors/index.ts";
import { applyAll, compileRules, type RunScript } from "./compile-rules.ts";
import type { MappingFailure } from "./failure.ts";
import { type Findings, parseRules } from "./parse-rules.ts";

/** A compiled list of rules. */
export interface Mapping {
  /** What is allowed but hardly meant, by paths relative to the list: `[3].when`. */
  readonly warnings: readonly FieldError[];
  /** Whether rules have scripts: then only `applyAll` maps. */
  readonly scripted: boolean;
  /**
   * The record that the rules make of this one, which stays as it is; the two may share values that no rule changed.
   * Throws a MappingFailure for the first rule that fails.
   */
  apply(record: JsonObject): JsonObject;
  /**
   * As `apply`, for a batch, with one run of each script; a failure stands in the place of its record. `meta`, of the
   * record at an index, is for scripts.
   */
  applyAll(
    records: readonly JsonObject[],
    meta: (index: number) => JsonObject,
    run: RunScript,
  ): Promise<(JsonObject | MappingFailure)[]>;
}

/**
 * Compiles a list of rules to one generated function. Throws a SluiceError (VALIDATION_ERROR) with all that is wrong,
 * by paths relative to the list: `[3].cast`.
 */
export function compileMapping(rules: unknown): Mapping {
  const findings: Findings = { errors: [], warnings: [] };
  const parsed = parseRules(rules, findings);
  const { errors, warnings } = findings;
  const [first] = errors;
  if (first !== undefined) {
    const others = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    throw new SluiceError("VALIDATION_ERROR", `${first.path}: ${first.message}${others}`.replace(/^: /, ""), errors);
  }
  const compiled = compileRules(parsed);
  const scripted = compiled.scripted.length > 0;
  return {
    warnings,
    scripted,
    apply: scripted ? refuse : compiled.apply,
    applyAll: (records, meta, run) => applyAll(compiled, { records, meta, run }),
  };
}

function refuse(): never {
  throw new Error("a mapping with scripts is applied to batches");
}
