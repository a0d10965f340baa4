import type { ErrorObject } from "ajv/dist/2020.js";
import type { Json } from "../../connectors/sdk/index.ts";
import { canonicalNumber, isNumber, isObject, type RawNumber } from "../../runtime/record/index.ts";
import { holdsRawNumber, withDoubles } from "./exact-numbers.ts";

/** Stands beside each `const` and `enum` with a number in it, in what Ajv gets. */
export const constantsKeyword = "x-sluice-constants";

/** By JSON Pointer, the numbers of a value that no double holds. */
export type Raws = ReadonlyMap<string, RawNumber>;

type Marked = Readonly<Record<"exact" | "doubles", readonly string[]>> & {
  readonly hasRaws: boolean;
  readonly message: string;
};

/** Keywords with schemas by name. */
const maps: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
]);
const values: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

/** A copy of a schema with its constants marked: Ajv compares the nearest doubles. */
export function markConstants(schema: Json, areNames = false): Json {
  if (Array.isArray(schema)) return schema.map((each) => markConstants(each));
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([name, each]) => [
    name,
    !areNames && values.has(name) ? each : markConstants(each, !areNames && maps.has(name)),
  ]);
  if (!areNames) {
    const { const: constant, enum: choice } = schema;
    // Where both are there a value fits both, so that one of them is enough to be exact about.
    const wanted = Object.hasOwn(schema, "const") ? [constant as Json] : Array.isArray(choice) ? choice : [];
    if (wanted.some(holdsNumber)) entries.push([constantsKeyword, markOf(wanted, Object.hasOwn(schema, "const"))]);
  }
  return Object.fromEntries(entries);
}

function markOf(wanted: readonly Json[], isConst: boolean): Json {
  const shown = wanted.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
  return {
    exact: wanted.map((each) => canonical(each, new Map())),
    doubles: wanted.map((each) => canonical(withDoubles(each, new Map()), new Map())),
    hasRaws: wanted.some(holdsRawNumber),
    message: isConst ? `must be ${JSON.stringify(wanted[0])}` : `must be one of ${shown.join(", ")}`,
  };
}

/** Refuses what only its nearest doubles make equal; what they do not is Ajv's own to refuse. */
export function exactConstants(raws: () => Raws) {
  const check = (
    { exact, doubles, hasRaws, message }: Marked,
    value: Json,
    _: unknown,
    at?: { instancePath: string },
  ) => {
    check.errors = [];
    const known = raws();
    if (known.size === 0 && !hasRaws) return true;
    const holds =
      exact.includes(canonical(value, known, at?.instancePath)) || !doubles.includes(canonical(value, new Map()));
    if (!holds) check.errors = [{ keyword: constantsKeyword, message }];
    return holds;
  };
  check.errors = [] as Partial<ErrorObject>[];
  return check;
}

/** A text that equal values have in common, numbers by their exact values. */
export function canonical(value: Json, raws: Raws, pointer = ""): string {
  if (isNumber(value)) return canonicalNumber(raws.get(pointer) ?? value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value))
    return `[${value.map((item, index) => canonical(item, raws, `${pointer}/${index}`)).join(",")}]`;
  const members = Object.keys(value).sort();
  const below = (name: string) => `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json, raws, below(name))}`).join(",")}}`;
}

function holdsNumber(value: Json): boolean {
  if (isNumber(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some((each) => holdsNumber(each as Json));
}
