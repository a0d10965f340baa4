import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Script, ScriptCall, ScriptResult } from "../ports/sandbox.ts";
import { isObject } from "../record/json.ts";
import { emitRules, emitTest, emitValue } from "./emit-rules.ts";
import { Emitter } from "./emitter.ts";
import { MappingFailure } from "./failure.ts";
import { deleteField, setField } from "./field-path.ts";
import * as helpers from "./helpers.ts";
import { RuleFailures } from "./helpers.ts";
import { isScript, isScripted, type Rule } from "./rule.ts";
import { transformFailure, whenFailure } from "./script-failure.ts";

/** Evaluates one script for many records, in order: a sandbox's `run`, bound to its scope and signal. */
export type RunScript = (script: Script, calls: readonly ScriptCall[]) => Promise<readonly ScriptResult[]>;

/** Records, or elements within `each`, that are mapped together. */
export interface MappingBatch {
  readonly records: readonly Json[];
  /** What scripts see as `meta`; asked for only where a script names it. */
  meta(index: number): JsonObject;
  readonly run: RunScript;
}

/** A list of rules as one function, and what has to be known before it is called. */
export interface CompiledRules {
  readonly scripted: readonly ScriptedRule[];
  /** `columns`: what the scripted rules come to, by rule and record; only where there are some. */
  readonly apply: (record: Json, columns?: readonly Column[], index?: number) => JsonObject;
}

interface ScriptedRule {
  readonly rule: Rule;
  /** The `when` that is no script. */
  readonly test: ((record: Json) => boolean) | undefined;
  /** Source and default; undefined for a transform alone, and for a drop. */
  readonly value: ((record: Json) => Json | undefined) | undefined;
  readonly each: CompiledRules | undefined;
}

/**
 * What a rule comes to ahead of its cast, by record: a value, why it failed, or undefined where it does nothing. All of
 * it depends on the incoming record alone, so it is found for a whole batch at once, before any rule writes.
 */
type Column = (Json | undefined | MappingFailure)[];

/** Compiles rules to one generated function. */
export function compileRules(rules: readonly Rule[]): CompiledRules {
  const emitter = new Emitter();
  const scripted = rules.filter(isScripted);
  const tests = scripted.map((rule) => emitTest(emitter, rule));
  const values = scripted.map((rule) => emitValue(emitter, rule));
  const built = emitter.build<{
    apply: CompiledRules["apply"];
    tests: readonly ScriptedRule["test"][];
    values: readonly ScriptedRule["value"][];
  }>(`{ apply: ${emitRules(emitter, rules)}, tests: [${tests.map(String)}], values: [${values.map(String)}] }`, {
    ...helpers,
    isObject,
    setField,
    deleteField,
    MappingFailure,
  });
  return {
    apply: built.apply,
    scripted: scripted.map((rule, i) => ({
      rule,
      test: built.tests[i],
      value: built.values[i],
      each: rule.kind === "write" && rule.each !== undefined ? compileRules(rule.each) : undefined,
    })),
  };
}

/** Maps a batch, with one run of each script; a failure stands in the place of its record. */
export async function applyAll(
  { scripted, apply }: CompiledRules,
  batch: MappingBatch,
): Promise<(JsonObject | MappingFailure)[]> {
  const columns = await Promise.all(scripted.map((rule) => prepare(rule, batch)));
  return batch.records.map((record, index) => {
    try {
      return apply(record, columns, index);
    } catch (error) {
      if (!(error instanceof MappingFailure)) throw error;
      return error;
    }
  });
}

async function prepare({ rule, test, value, each }: ScriptedRule, batch: MappingBatch): Promise<Column> {
  const { records } = batch;
  const column: Column = new Array(records.length).fill(undefined);
  /** The places for which the rule goes on. */
  let places = [...records.keys()];
  if (isScript(rule.when)) {
    const script = rule.when;
    const results = await ask(script, places, column, batch);
    places = places.filter((place, i) => {
      const result = results[i] as ScriptResult;
      if (!result.ok) column[place] = whenFailure(rule, script, records[place] as Json, result);
      return result.ok && result.value === true;
    });
  } else if (test !== undefined) {
    places = places.filter((place) => test(records[place] as Json));
  }
  if (rule.kind === "drop") {
    for (const place of places) column[place] = true;
    return column;
  }
  if (value !== undefined) {
    for (const place of places) column[place] = value(records[place] as Json);
    places = places.filter((place) => column[place] !== undefined);
  }
  if (each !== undefined) places = await mapElements(rule, each, places, column, batch);
  if (rule.transform !== undefined) {
    const { transform } = rule;
    const results = await ask(transform, places, column, batch);
    for (const [i, place] of places.entries()) {
      const result = results[i] as ScriptResult;
      const given = column[place] as Json | undefined;
      column[place] = result.ok ? result.value : transformFailure(rule, transform, given, result);
    }
  }
  return column;
}

/** Maps the elements of all records of a batch together; gives the places where none failed. */
async function mapElements(
  rule: Extract<Rule, { kind: "write" }>,
  each: CompiledRules,
  places: readonly number[],
  column: Column,
  batch: MappingBatch,
): Promise<number[]> {
  const failures = new RuleFailures(rule);
  const elements: Json[] = [];
  const parents: number[] = [];
  for (const place of places) {
    const list = column[place] as Json;
    if (!Array.isArray(list)) column[place] = failures.notAnArray(list);
    else
      for (const element of list) {
        elements.push(element);
        parents.push(place);
      }
  }
  const meta = (index: number) => batch.meta(parents[index] as number);
  const results = await applyAll(each, { records: elements, meta, run: batch.run });
  let next = 0;
  return places.filter((place) => {
    const list = column[place];
    if (!Array.isArray(list)) return false;
    const mapped = results.slice(next, (next += list.length));
    const failed = mapped.findIndex((result) => result instanceof MappingFailure);
    column[place] = failed < 0 ? (mapped as JsonObject[]) : failures.inEach(mapped[failed], failed);
    return failed < 0;
  });
}

/** One call of a script for some places of a batch, with what the rule has come to as `value`. */
function ask(script: Script, places: readonly number[], column: Column, { records, meta, run }: MappingBatch) {
  return run(
    script,
    places.map((place) => new Call(column[place] as Json | undefined, records[place] as Json, place, meta)),
  );
}

/** Makes `meta` when it is asked for. */
class Call implements ScriptCall {
  readonly value: Json | undefined;
  readonly record: Json;
  readonly #place: number;
  readonly #meta: MappingBatch["meta"];

  constructor(value: Json | undefined, record: Json, place: number, meta: MappingBatch["meta"]) {
    this.value = value;
    this.record = record;
    this.#place = place;
    this.#meta = meta;
  }

  get meta(): JsonObject {
    return this.#meta(this.#place);
  }
}
