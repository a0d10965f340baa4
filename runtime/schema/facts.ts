import { isDeepStrictEqual } from "node:util";
import {
  type Keywords,
  keywordsOf,
  membersOf,
  namedTypes,
  numberOf,
  type Schema,
  type TypeName,
  typeNames,
} from "./keywords.ts";

/** A schema with the document that its references are resolved in. */
export interface Placed {
  readonly schema: Schema;
  readonly root: Schema;
}

/** Types that a value may have where all of `facts` hold; undefined where none names any. */
export function typesOf(facts: readonly Placed[]): ReadonlySet<TypeName> | undefined {
  let types: ReadonlySet<TypeName> | undefined;
  let byValue: ReadonlySet<TypeName> | undefined;
  for (const { schema } of facts) {
    const named = namedTypes(keywordsOf(schema));
    if (named !== undefined) types = types?.intersection(named) ?? named;
    const values = valuesOf(keywordsOf(schema));
    if (values !== undefined) byValue = new Set(values.flatMap(typesOfValue));
  }
  return types ?? byValue;
}

function typesOfValue(value: unknown): TypeName[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  if (typeof value === "number") return Number.isInteger(value) ? ["integer"] : ["number"];
  return [typeof value as TypeName].filter((type) => typeNames.includes(type));
}

export function isImpossible(facts: readonly Placed[]): boolean {
  return facts.some(({ schema }) => schema === false) || typesOf(facts)?.size === 0;
}

export function valuesOf(schema: Keywords): readonly unknown[] | undefined {
  if (Object.hasOwn(schema, "const")) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

export function same(facts: readonly Placed[], wide: Keywords, keyword: string): boolean {
  return facts.some(({ schema }) => isDeepStrictEqual(keywordsOf(schema)[keyword], wide[keyword]));
}

export const limits = [
  ["string", "minLength", "maxLength"],
  ["array", "minItems", "maxItems"],
  ["object", "minProperties", "maxProperties"],
] as const;

export function countsFollow(facts: readonly Placed[], wide: Keywords, low: string, high: string): boolean {
  const least = numberOf(wide, low) ?? 0;
  const most = numberOf(wide, high) ?? Number.POSITIVE_INFINITY;
  return (
    (least <= 0 || facts.some(({ schema }) => (numberOf(keywordsOf(schema), low) ?? 0) >= least)) &&
    (most === Number.POSITIVE_INFINITY ||
      facts.some(({ schema }) => (numberOf(keywordsOf(schema), high) ?? Number.POSITIVE_INFINITY) <= most))
  );
}

export function numbersFollow(facts: readonly Placed[], wide: Keywords): boolean {
  const step = numberOf(wide, "multipleOf");
  const stepFollows = (own: number | undefined) => own !== undefined && Number.isInteger(own / step!);
  if (step !== undefined && !facts.some(({ schema }) => stepFollows(numberOf(keywordsOf(schema), "multipleOf"))))
    return false;
  return ([1, -1] as const).every((sign) => {
    const wanted = boundOf(wide, sign);
    return (
      wanted === undefined ||
      facts.some(({ schema }) => {
        const own = boundOf(keywordsOf(schema), sign);
        if (own === undefined) return false;
        return own.at === wanted.at ? own.open || !wanted.open : own.at > wanted.at;
      })
    );
  });
}

/** The lower bound (sign 1), or the upper one mirrored (sign -1). Draft 4 says by a boolean that it is open. */
function boundOf(schema: Keywords, sign: 1 | -1): { readonly at: number; readonly open: boolean } | undefined {
  const [closed, open] = sign === 1 ? ["minimum", "exclusiveMinimum"] : ["maximum", "exclusiveMaximum"];
  const at = numberOf(schema, closed as string);
  const above = numberOf(schema, open as string);
  if (above !== undefined && (at === undefined || sign * above >= sign * at)) return { at: sign * above, open: true };
  return at === undefined ? undefined : { at: sign * at, open: schema[open as string] === true };
}

export function patternsOf({ schema }: Placed): Keywords {
  return membersOf(keywordsOf(schema), "patternProperties");
}

/** What holds of the member of that name. */
export function memberFacts(facts: readonly Placed[], name: string): Placed[] {
  return facts.flatMap((fact) => {
    const properties = membersOf(keywordsOf(fact.schema), "properties");
    const patterns = Object.entries(patternsOf(fact)).filter(([pattern]) => matches(pattern, name));
    const found = [
      ...(Object.hasOwn(properties, name) ? [properties[name]] : []),
      ...patterns.map(([, schema]) => schema),
    ];
    const schemas = found.length > 0 ? found : [keywordsOf(fact.schema).additionalProperties ?? true];
    return schemas.map((schema) => ({ schema: schema as Schema, root: fact.root }));
  });
}

/** What holds of members that no schema names and no pattern matches. */
export function otherFacts(facts: readonly Placed[]): Placed[] {
  return facts.map(({ schema, root }) => ({
    schema: (keywordsOf(schema).additionalProperties ?? true) as Schema,
    root,
  }));
}

/** What holds of members that match a pattern, save those named; a list a pattern. */
export function patternFacts(facts: readonly Placed[], except: readonly string[]): Placed[][] {
  return facts.flatMap((fact) =>
    Object.entries(patternsOf(fact))
      .filter(([pattern]) => !except.includes(pattern))
      .map(([, schema]) => [{ schema: schema as Schema, root: fact.root }]),
  );
}

export function dependencies(schema: Keywords): [string, unknown][] {
  return ["dependencies", "dependentRequired", "dependentSchemas"].flatMap((keyword) =>
    Object.entries(membersOf(schema, keyword)),
  );
}

export function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern, "u").test(name);
  } catch {
    return false;
  }
}
