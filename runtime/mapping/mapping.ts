import type { JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldError, SluiceError } from "../errors/index.ts";
import { isObject } from "../record/json.ts";
import { emitRules } from "./emit-rules.ts";
import { Emitter } from "./emitter.ts";
import { deleteField, setField } from "./field-path.ts";
import * as helpers from "./helpers.ts";
import { type Findings, parseRules } from "./parse-rules.ts";

/** What scripts know about a record beside it; absent things are absent. */
export interface RecordMeta {
  readonly integration?: string;
  readonly run_id?: string;
  readonly stream?: string;
  readonly record_id?: string;
  readonly attempt?: number;
  readonly ingested_at?: string;
  readonly line?: number;
}

/** A compiled list of rules. */
export interface Mapping {
  /** What is allowed but hardly meant, by paths relative to the list: `[3].when`. */
  readonly warnings: readonly FieldError[];
  /**
   * The record that the rules make of this one, which stays as it is; the two may share values that no rule changed.
   * Throws a MappingFailure for the first rule that fails. `meta` is for scripts, which come later.
   */
  apply(record: JsonObject, meta?: RecordMeta): JsonObject;
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
  const emitter = new Emitter();
  const apply = emitRules(emitter, parsed);
  return { warnings, apply: emitter.build(apply, { ...helpers, isObject, setField, deleteField }) };
}
