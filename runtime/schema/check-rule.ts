import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import { type CastName, casts, compilePredicate, compileQuery, singularPath } from "../mapping/index.ts";
import { type Keywords, namedTypes, type TypeName } from "./keywords.ts";
import type { Known } from "./known.ts";
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
  if (rule.transform !== undefined) return { breaks: [], warnings: [], result };
  if (typeof rule.template === "string") return plain(cast === undefined ? { type: "string" } : result);
  if (rule.value !== undefined) return plain(cast === undefined ? (inferSchema([rule.value]) as JsonSchema) : result);
  if (typeof rule.source !== "string") return plain(result);

  const { source } = rule;
  const samples = asked(rule.when, known.samples);
  const { all, singular } = compileQuery(source);
  const values = samples.map(all);
  const seen = values.flat();
  const located = known.schema === null || !singular ? null : locate(known.schema, singularPath(source)!);
  const breaks: FieldError[] = [];
  const warnings: FieldError[] = [];

  if (seen.length === 0 && known.samples.length + (known.schema === null ? 0 : 1) > 0) {
    const gone = singular && (located === null || located.found === "no");
    const tolerant = rule.default !== undefined || rule.when !== undefined || !gone;
    if (gone) (tolerant ? warnings : breaks).push({ path: joinSource(path), message: `no record has ${source}` });
    else if (located?.found !== "yes" && samples.length > 0)
      warnings.push({ path: joinSource(path), message: `no sample has ${source}` });
  }

  const inputs = singular ? seen : values;
  if (cast !== undefined && rule.each === undefined) {
    const fault = castFault(cast, source, inputs, located?.found === "yes" ? located.schema : null);
    const fails = (rule.on_error ?? "fail") === "fail" && rule.when === undefined;
    if (fault !== undefined) {
      (fails && fault.always ? breaks : warnings).push({ path: `${path}.cast`, message: fault.message });
    }
  }
  if (cast !== undefined) return { breaks, warnings, result };
  if (rule.each !== undefined || !singular) return { breaks, warnings, result: { type: "array" } };
  const schema = located?.found === "yes" ? (located.schema as JsonSchema) : (inferSchema(seen) ?? {});
  return { breaks, warnings, result: schema };
}

const plain = (result: JsonSchema): RuleFit => ({ breaks: [], warnings: [], result });

const joinSource = (path: string) => `${path}.source`;

/** The samples for which a rule's `when` holds. */
function asked(when: Json | undefined, samples: readonly JsonObject[]): readonly JsonObject[] {
  if (when === undefined || typeof when !== "string") return samples;
  const { test } = compilePredicate(when);
  return samples.filter((sample) => test(sample));
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
    const count = always
      ? tried.length === 1
        ? "the sample"
        : `all of ${tried.length} samples`
      : `${failed.length} of ${tried.length} samples`;
    return { always, message: `the cast to ${name} refuses ${source} of ${count}` };
  }
  const types = [...((schema && namedTypes(schema)) ?? [])].filter((type) => type !== "null");
  if (types.length === 0 || !types.every((type) => refused[name].includes(type))) return undefined;
  return { always: true, message: `the cast to ${name} refuses ${source}, which is ${types.join(" or ")}` };
}
