import type { Json } from "../../../connectors/sdk/index.ts";
import type { MeasureFunction } from "../../config/index.ts";
import { less } from "../../mapping/index.ts";
import {
  describeType,
  ExactSum,
  isNumber,
  isSummable,
  jsonType,
  maxSumDigits,
  parseJson,
  parseSum,
  type RawNumber,
} from "../../record/index.ts";

/** What one measure of one window has taken so far. */
export interface Accumulator {
  /** Why a value cannot be taken, to follow its path in a sentence; undefined where it can. */
  refusal(value: Json): string | undefined;
  /** Takes the value for which `refusal` was asked last, and found nothing. */
  add(value: Json): void;
  readonly result: Json;
  /** For `createAccumulator`: texts, numbers and null, which any store gives back as they were. */
  readonly state: Json;
}

/** Of JSON text, in bytes, that one window collects at most. */
const maxCollected = 1_000_000;

/** A new accumulator, or one that goes on from a `state`. */
export function createAccumulator(measure: MeasureFunction, state: Json = null): Accumulator {
  switch (measure) {
    case "count":
      return new Count((state as number | null) ?? 0);
    case "sum":
      return new Sum(state as SumState, false);
    case "avg":
      return new Sum(state as SumState, true);
    case "min":
    case "max":
      return new Extreme(state as string | null, measure === "max");
    case "first":
    case "last":
      return new Place(state as string | null, measure === "last");
    case "collect":
      return new Collect((state as string | null) ?? "");
  }
}

class Count implements Accumulator {
  #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  refusal(): undefined {}

  add(): void {
    this.#count++;
  }

  get result(): Json {
    return this.#count;
  }

  get state(): Json {
    return this.#count;
  }
}

/** The sum's text and how many values it has. */
type SumState = readonly [string, number] | null;

/** Null as long as there is no value, as in SQL. */
class Sum implements Accumulator {
  readonly #sum: ExactSum;
  readonly #mean: boolean;
  #count: number;

  constructor(state: SumState, mean: boolean) {
    this.#sum = state === null ? new ExactSum() : parseSum(state[0]);
    this.#count = state === null ? 0 : state[1];
    this.#mean = mean;
  }

  refusal(value: Json): string | undefined {
    if (!isNumber(value)) return `is ${describeType(value)}, not a number`;
    if (!isSummable(value)) return `is a number of more than ${maxSumDigits} digits before or after the point`;
    return undefined;
  }

  add(value: Json): void {
    this.#sum.add(value as unknown as number | RawNumber);
    this.#count++;
  }

  get result(): Json {
    if (this.#count === 0) return null;
    return this.#mean ? this.#sum.mean(this.#count) : this.#sum.total;
  }

  get state(): Json {
    return this.#count === 0 ? null : [this.#sum.text, this.#count];
  }
}

/** The least or the greatest: of numbers by exact value, of texts by Unicode scalar values. */
class Extreme implements Accumulator {
  #value: Json;
  readonly #greatest: boolean;

  constructor(state: string | null, greatest: boolean) {
    this.#value = state === null ? null : parseJson(state);
    this.#greatest = greatest;
  }

  refusal(value: Json): string | undefined {
    if (typeof value !== "string" && !isNumber(value)) return `is ${describeType(value)}, not a number or a string`;
    if (this.#value === null || typeof value === typeof this.#value) return undefined;
    const type = jsonType(this.#value);
    return jsonType(value) === type ? undefined : `is ${describeType(value)}, where the window has ${type}s`;
  }

  add(value: Json): void {
    const better = this.#greatest ? less(this.#value, value) : less(value, this.#value);
    if (this.#value === null || better) this.#value = value;
  }

  get result(): Json {
    return this.#value;
  }

  get state(): Json {
    return this.#value === null ? null : JSON.stringify(this.#value);
  }
}

/** The first or the last value there was. */
class Place implements Accumulator {
  #value: Json | undefined;
  readonly #last: boolean;

  constructor(state: string | null, last: boolean) {
    this.#value = state === null ? undefined : parseJson(state);
    this.#last = last;
  }

  refusal(): undefined {}

  add(value: Json): void {
    if (this.#last || this.#value === undefined) this.#value = value;
  }

  get result(): Json {
    return this.#value ?? null;
  }

  get state(): Json {
    return this.#value === undefined ? null : JSON.stringify(this.#value);
  }
}

/** All values, as their JSON texts with commas between them: what is stored at each change. */
class Collect implements Accumulator {
  #texts: string;
  #bytes: number;
  #next = "";

  constructor(texts: string) {
    this.#texts = texts;
    this.#bytes = Buffer.byteLength(texts);
  }

  refusal(value: Json): string | undefined {
    this.#next = JSON.stringify(value);
    const fits = this.#bytes + 1 + Buffer.byteLength(this.#next) <= maxCollected;
    return fits ? undefined : `would bring what the window collects above ${maxCollected} bytes of JSON text`;
  }

  add(): void {
    this.#bytes += 1 + Buffer.byteLength(this.#next);
    this.#texts += this.#texts === "" ? this.#next : `,${this.#next}`;
  }

  get result(): Json {
    return parseJson(`[${this.#texts}]`);
  }

  get state(): Json {
    return this.#texts;
  }
}
