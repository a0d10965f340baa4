import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import {
  type CastName,
  casts,
  compileMapping,
  compileQuery,
  MappingFailure,
  pathsOfTemplate,
  singularPath,
} from "../mapping/index.ts";
import { checkPaths, checkPredicate, missingPath, passing } from "./check-paths.ts";
import { type Keywords, namedTypes, type TypeName } from "./keywords.ts";
import { type Known, nothing } from "./known.ts";
import { inferSchema } from "./learn.ts";
import { locate } from "./locate.ts";

export interface RuleFit {
  readonly breaks: readonly FieldError[];
  readonly warnings: readonly FieldError[];
  /** What the rule writes, as far as it is known. */
  readonly result: JsonSchema;
}

/** What a cast gives; null stays null. */
const given: { readonly [cast in CastName]: JsonSchema } = {
  string: { type: ["string", "null"] },
  number: { type: ["number", "null"] },
  integer: { type: ["integer", "null"] },
  boolean: { type: ["boolean", "null"] },
  timestamp: { type: ["string", "null"], format: "date-time" },
  date: { type: ["string", "null"], format: "date" },
  json: {},
};

/** Types of which a cast takes no value at all. */
const refused: { readonly [cast in CastName]: readonly TypeName[] } = {
  string: [],
  number: ["boolean", "array", "object"],
  integer: ["boolean", "array", "object"],
  boolean: ["array", "object"],
  timestamp: ["boolean", "array", "object"],
  date: ["boolean", "array", "object"],
  json: [],
};

/** A rule of a mapping that was found valid, against what is known of the records that come to it. */
export function checkRule(path: string, rule: JsonObject, known: Known): RuleFit {
  const cast = rule.cast as CastName | undefined;
  const result = cast === undefined ? {} : given[cast];
  const breaks: FieldError[] = [];
  const warnings: FieldError[] = checkPredicate(`${path}.when`, rule.when, known);
  if (rule.transform !== undefined) return { breaks, warnings, result };
  // Where no sample passes `when`, all of them say what the source has.
  const chosen = passing(rule.when, known.samples) ?? [];
  const samples = chosen.length > 0 ? chosen : known.samples;
  if (typeof rule.template === "string") {
    warnings.push(...checkPaths(`${path}.template`, pathsOfTemplate(rule.template), known));
    warnings.push(...checkCast(path, rule, samples));
    return { breaks, warnings, result: cast === undefined ? { type: "string" } : result };
  }
  if (rule.value !== undefined) {
    warnings.push(...checkCast(path, rule, [{}]));
    return { breaks, warnings, result: cast === undefined ? (inferSchema([rule.value]) as JsonSchema) : result };
  }
  if (typeof rule.source !== "string") return { breaks, warnings, result };

  const { source } = rule;
  const { all, singular } = compileQuery(source);
  const values = samples.map(all);
  const seen = values.flat();
  const located = known.schema === null || !singular ? null : locate(known.schema, singularPath(source)!);

  if (seen.length === 0 && known.samples.length + (known.schema === null ? 0 : 1) > 0) {
    const gone = singular && (located === null || located.found === "no");
    const tolerant = rule.default !== undefined || rule.when !== undefined || !gone;
    const missing = {
      path: `${path}.source`,
      message: missingPath(source, { ...known, samples }, located?.found === "no"),
    };
    if (gone) (tolerant ? warnings : breaks).push(missing);
    else if (located?.found !== "yes" && samples.length > 0) warnings.push(missing);
  }
  if (Array.isArray(rule.each)) {
    const elements = (singular ? seen.filter((value) => Array.isArray(value)) : values).flat() as JsonObject[];
    for (const [index, inner] of (rule.each as readonly JsonObject[]).entries()) {
      const found = checkRule(`${path}.each[${index}]`, inner, { ...nothing, samples: elements });
      warnings.push(...found.breaks, ...found.warnings);
    }
  }

  const inputs = singular ? seen : values;
  if (cast !== undefined && rule.each === undefined) {
    const fault = castFault(cast, source, inputs, located?.found === "yes" ? located.schema : null);
    const covered = (rule.on_error ?? "fail") !== "fail";
    const fails = !covered && rule.when === undefined;
    // What `on_error` is there for is said only where nothing else ever happens.
    if (fault !== undefined && (fault.always || !covered)) {
      (fails && fault.always ? breaks : warnings).push({ path: `${path}.cast`, message: fault.message });
    }
  }
  if (cast !== undefined) return { breaks, warnings, result };
  if (rule.each !== undefined || !singular) return { breaks, warnings, result: { type: "array" } };
  const schema = located?.found === "yes" ? (located.schema as JsonSchema) : (inferSchema(seen) ?? {});
  return { breaks, warnings, result: schema };
}

/** The cast of a template or a constant: the rule is tried on the samples. */
function checkCast(path: string, rule: JsonObject, samples: readonly JsonObject[]): FieldError[] {
  if (rule.cast === undefined) return [];
  const { when: _, on_error: __, ...tried } = rule;
  const { apply } = compileMapping([tried]);
  const failed = samples.filter((sample) => {
    try {
      apply(sample);
      return false;
    } catch (error) {
      return error instanceof MappingFailure && error.reason === "cast";
    }
  });
  const covered = rule.on_error !== undefined && rule.on_error !== "fail";
  if (failed.length === 0 || (covered && failed.length < samples.length)) return [];
  const what = rule.template === undefined ? "the value" : `the text of ${countOf(failed.length, samples.length)}`;
  return [{ path: `${path}.cast`, message: `the cast to ${rule.cast} refuses ${what}` }];
}

function countOf(some: number, all: number): string {
  if (some < all) return `${some} of ${all} samples`;
  return all === 1 ? "the sample" : `all of ${all} samples`;
}

function castFault(
  name: CastName,
  source: string,
  values: readonly Json[],
  schema: Keywords | null,
): { readonly always: boolean; readonly message: string } | undefined {
  const cast = casts[name];
  const tried = values.filter((value): value is Exclude<Json, null> => value !== null);
  const failed = tried.filter((value) => cast(value) === undefined);
  if (tried.length > 0) {
    if (failed.length === 0) return undefined;
    const always = failed.length === tried.length;
    return { always, message: `the cast to ${name} refuses ${source} of ${countOf(failed.length, tried.length)}` };
  }
  const types = [...((schema && namedTypes(schema)) ?? [])].filter((type) => type !== "null");
  if (types.length === 0 || !types.every((type) => refused[name].includes(type))) return undefined;
  return { always: true, message: `the cast to ${name} refuses ${source}, which is ${types.join(" or ")}` };
}
