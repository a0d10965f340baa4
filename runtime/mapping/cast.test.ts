import { describe, expect, it } from "vitest";
import { parseJson } from "../record/index.ts";
import { type CastName, castNames } from "./cast.ts";
import { compileMapping, MappingFailure } from "./index.ts";
import { castCases } from "./testing/cast-cases.ts";

/** The JSON text of what a cast gives, or "refused". */
function cast(name: CastName, value: string): string {
  try {
    const rules = [{ source: "$.v", destination: "v", cast: name }];
    return JSON.stringify(compileMapping(rules).apply({ v: parseJson(value) }).v);
  } catch (error) {
    if (error instanceof MappingFailure && error.reason === "cast") return "refused";
    throw error;
  }
}

describe.each(castNames)("cast %s", (name) => {
  it.each(castCases[name])("%s gives %s", (value, expected) => {
    expect(cast(name, value)).toBe(expected);
  });
});
