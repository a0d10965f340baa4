import type { JsonObject } from "../../connectors/sdk/index.ts";
import {
  type Mapping,
  MappingFailure,
  type Predicate,
  predicateFailure,
  type RunScript,
} from "../../runtime/mapping/index.ts";
import type { Decoded } from "../../runtime/record/index.ts";

export interface MapCounts {
  in: number;
  out: number;
  filtered: number;
  failed: number;
}

export interface MappedLines {
  /** Mapped records, a line each. */
  readonly out: string;
  /** Failures as JSON, a line each. */
  readonly errors: string;
  readonly counts: MapCounts;
}

/** Maps the records of some lines; `first` is the number of the first. */
export function mapLines(
  decoded: Decoded,
  first: number,
  mapping: Mapping,
  predicate: Predicate | undefined,
): MappedLines {
  return mapEach(decoded, first, (value) =>
    predicate === undefined || predicate.test(value) ? mapping.apply(value) : undefined,
  );
}

/** As `mapLines`, where rules or predicate have scripts: each is run for all lines at once. */
export async function mapScriptedLines(
  decoded: Decoded,
  first: number,
  mapping: Mapping,
  predicate: Predicate | undefined,
  run: RunScript,
): Promise<MappedLines> {
  const { values } = decoded;
  const meta = (index: number): JsonObject => ({ line: first + index });
  const fates: (JsonObject | MappingFailure | undefined)[] = new Array(values.length).fill(undefined);
  let places = [...values.keys()].filter((index) => values[index] !== undefined);
  if (predicate !== undefined) places = await ask(predicate, values as readonly JsonObject[], places, meta, run, fates);
  const results = await mapping.applyAll(
    places.map((place) => values[place] as JsonObject),
    (index) => meta(places[index] as number),
    run,
  );
  for (const [i, place] of places.entries()) fates[place] = results[i];
  return mapEach(decoded, first, (_value, index) => {
    const fate = fates[index];
    if (fate instanceof MappingFailure) throw fate;
    return fate;
  });
}

/** The places for which a predicate holds; where it fails, that is the record's fate. */
async function ask(
  { script, test }: Predicate,
  values: readonly JsonObject[],
  places: readonly number[],
  meta: (index: number) => JsonObject,
  run: RunScript,
  fates: (JsonObject | MappingFailure | undefined)[],
): Promise<number[]> {
  if (script === undefined) return places.filter((place) => test(values[place] as JsonObject));
  const calls = places.map((place) => ({ record: values[place] as JsonObject, meta: meta(place) }));
  const results = await run(script, calls);
  return places.filter((place, i) => {
    const result = results[i] as (typeof results)[number];
    if (!result.ok) fates[place] = predicateFailure(script, values[place] as JsonObject, result);
    return result.ok && result.value === true;
  });
}

/** Writes down what became of each line: a record, nothing where it was filtered, or the MappingFailure that is thrown. */
function mapEach(
  { values, failures }: Decoded,
  first: number,
  map: (value: JsonObject, index: number) => JsonObject | undefined,
): MappedLines {
  const counts: MapCounts = { in: values.length, out: 0, filtered: 0, failed: 0 };
  let out = "";
  let errors = "";
  let nextFailure = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const line = first + i;
    if (value === undefined) {
      const failure = failures[nextFailure++];
      if (failure?.blank) counts.in--;
      else {
        counts.failed++;
        errors += jsonError(line, failure?.message ?? "");
      }
      continue;
    }
    try {
      const mapped = map(value, i);
      if (mapped === undefined) {
        counts.filtered++;
        continue;
      }
      out += `${JSON.stringify(mapped)}\n`;
      counts.out++;
    } catch (error) {
      if (!(error instanceof MappingFailure)) throw error;
      const { code, reason, rule, message } = error;
      counts.failed++;
      errors += `${JSON.stringify({ line, code, reason, rule, message })}\n`;
    }
  }
  return { out, errors, counts };
}

/** The report of a line that is no record. */
export function jsonError(line: number, message: string): string {
  return `${JSON.stringify({ line, code: "VALIDATION_ERROR", reason: "json", rule: null, message })}\n`;
}
