import type { JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { SchemaContract } from "../config/index.ts";
import type { Drift } from "../ports/store.ts";
import { inferSchema, learn, relax } from "./learn.ts";
import { compileShape, driftOf, fits, type Shape, withoutDrift } from "./shape.ts";

/** A record that the contract refuses. */
export interface ContractFailure {
  /** Index among the records given. */
  readonly index: number;
  /** Names the fields and types, never a value. */
  readonly message: string;
}

export interface ContractResult {
  /** Indexes of the records that pass, in order; undefined: all of them, unchanged. */
  readonly passed: readonly number[] | undefined;
  /** The records that pass. */
  readonly values: readonly JsonObject[];
  readonly failures: readonly ContractFailure[];
  /** What no earlier batch had told. */
  readonly drift: readonly Drift[];
}

/** Facts told at most: names that are data would never end. */
const maxFacts = 1_000;

/**
 * Holds the records of a stream against its schema. Where none is known yet, the first batch makes it. The mode says
 * what becomes of fields that the schema does not know and of values of other types; a field that is missing is drift
 * in every mode, and no reason to refuse a record.
 */
export class StreamContract {
  readonly mode: SchemaContract;
  #schema: JsonSchema | null;
  /** The schema with what is told already: what it fits needs no second look. */
  #told: JsonSchema | null;
  #shape: Shape;
  #relaxed: Shape;
  readonly #facts = new Set<string>();

  constructor(mode: SchemaContract, schema: JsonSchema | null) {
    this.mode = mode;
    this.#schema = schema;
    this.#told = schema;
    this.#shape = compileShape(schema ?? {});
    this.#relaxed = this.#shape;
  }

  /** The stream's schema as it is after the batches applied so far; grows in mode evolve only. Null: none was seen. */
  get schema(): JsonSchema | null {
    return this.#schema;
  }

  apply(values: readonly JsonObject[]): ContractResult {
    if (this.#schema === null) this.#begin(values);
    let at = 0;
    while (at < values.length && fits(values[at] as JsonObject, this.#relaxed)) at++;
    return at === values.length ? { passed: undefined, values, failures: [], drift: [] } : this.#look(values, at);
  }

  #begin(values: readonly JsonObject[]): void {
    this.#schema = inferSchema(values);
    this.#told = this.#schema;
    this.#shape = compileShape(this.#schema ?? {});
    this.#relaxed = this.#shape;
  }

  /** From the first record on that does not fit. */
  #look(values: readonly JsonObject[], from: number): ContractResult {
    const passed = Array.from({ length: from }, (_, index) => index);
    const kept = values.slice(0, from);
    const failures: ContractFailure[] = [];
    const drift: Drift[] = [];
    const pass = (index: number, value: JsonObject) => {
      passed.push(index);
      kept.push(value);
    };
    for (let index = from; index < values.length; index++) {
      const value = values[index] as JsonObject;
      if (fits(value, this.#relaxed)) {
        pass(index, value);
        continue;
      }
      const found = driftOf(value, this.#shape);
      drift.push(...this.#tell(found));
      const against = found.filter(({ kind }) => kind !== "missing_field");
      if (this.mode === "evolve") this.#evolve(value);
      else if (against.length < found.length) this.#relax(value);
      if (this.mode === "evolve" || against.length === 0) pass(index, value);
      else if (this.mode === "discard_value") pass(index, withoutDrift(value, this.#shape));
      else if (this.mode === "freeze") failures.push({ index, message: refusal(against) });
    }
    return { passed, values: kept, failures, drift };
  }

  #evolve(value: JsonObject): void {
    this.#schema = learn(this.#schema as JsonSchema, value);
    this.#shape = compileShape(this.#schema);
    this.#relaxed = this.#shape;
  }

  #relax(value: JsonObject): void {
    this.#told = relax(this.#told as JsonSchema, value);
    this.#relaxed = compileShape(this.#told);
  }

  #tell(found: readonly Drift[]): Drift[] {
    return found.filter(({ kind, path, found }) => {
      const fact = JSON.stringify([kind, path, found]);
      if (this.#facts.has(fact) || this.#facts.size >= maxFacts) return false;
      this.#facts.add(fact);
      return true;
    });
  }
}

const namedAtMost = 5;

function refusal(drift: readonly Drift[]): string {
  const shown = drift.slice(0, namedAtMost).map(describeDrift);
  if (drift.length > namedAtMost) shown.push(`and ${drift.length - namedAtMost} more`);
  return `the schema contract "freeze" refuses it: ${shown.join("; ")}`;
}

/** One clause: `discount is new (number)`. */
function describeDrift({ kind, path, expected, found }: Drift): string {
  const field = path === "" ? "the record" : path;
  switch (kind) {
    case "new_field":
      return `${field} is new (${found})`;
    case "changed_type":
      return `${field} is ${found}, expected ${expected}`;
    case "missing_field":
      return `${field} is missing (${expected})`;
  }
}
