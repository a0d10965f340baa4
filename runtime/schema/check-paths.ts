import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import {
  type AskedPath,
  compilePredicate,
  compileQuery,
  nearestPath,
  pathsOfPredicate,
  singularPath,
} from "../mapping/index.ts";
import { keywordsOf, membersOf } from "./keywords.ts";
import type { Known } from "./known.ts";
import { locate } from "./locate.ts";

/** Paths that a predicate or a template asks for and no record is known to have, as warnings. */
export function checkPaths(place: string, paths: readonly AskedPath[], known: Known): FieldError[] {
  return paths.flatMap(({ path, optional }) => {
    const { all, singular } = compileQuery(path);
    const { samples, schema } = known;
    if (samples.some((sample) => all(sample).length > 0)) return [];
    const located = schema === null || !singular ? null : locate(schema, singularPath(path)!);
    const missing = located?.found === "no" || (located?.found !== "yes" && samples.length > 0);
    // To ask whether something exists that no sample has is common; to misspell it is not.
    if (!missing || (optional && hint(path, known) === "")) return [];
    return [{ path: place, message: missingPath(path, known, located?.found === "no") }];
  });
}

/** The same of a predicate's text; scripts are not looked into. */
export function checkPredicate(place: string, where: Json | undefined, known: Known): FieldError[] {
  return typeof where === "string" ? checkPaths(place, pathsOfPredicate(where), known) : [];
}

/** `0 of 120 sample records have $.emial; did you mean $.email?`; `none`: the schema knows of no record that has it. */
export function missingPath(path: string, known: Known, none: boolean): string {
  const { length } = known.samples;
  const who =
    none || length === 0
      ? "no record has"
      : length === 1
        ? "the sample record lacks"
        : `0 of ${length} sample records have`;
  return `${who} ${path}${hint(path, known)}`;
}

function hint(path: string, { samples, schema }: Known): string {
  const columns = schema === null ? {} : membersOf(keywordsOf(schema), "properties");
  const blank: JsonObject = Object.fromEntries(Object.keys(columns).map((name) => [name, null]));
  const near = nearestPath(path, [...samples, blank]);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** The samples for which a predicate is known to hold; undefined for a script, which is not run here. */
export function passing(where: Json | undefined, samples: readonly JsonObject[]): readonly JsonObject[] | undefined {
  if (where === undefined) return samples;
  if (typeof where !== "string") return undefined;
  const { test } = compilePredicate(where);
  return samples.filter((sample) => {
    try {
      return test(sample);
    } catch {
      return false;
    }
  });
}
