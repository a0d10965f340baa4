import { isDeepStrictEqual } from "node:util";
import {
  countsFollow,
  dependencies,
  isImpossible,
  limits,
  matches,
  memberFacts,
  numbersFollow,
  otherFacts,
  type Placed,
  patternFacts,
  patternsOf,
  same,
  typesOf,
  valuesOf,
} from "./facts.ts";
import {
  itemsOf,
  type Keywords,
  keywordsOf,
  listOf,
  membersOf,
  namedTypes,
  type Schema,
  type TypeName,
} from "./keywords.ts";
import { resolveReference } from "./reference.ts";

/** Comparisons of schemas before the answer is "no": what branches without end is not proven. */
const maxComparisons = 20_000;
/** Comparisons within one another: schemas that recur by ever new combinations are not followed further. */
const maxDepth = 100;

/** Keywords that must be the same where the wider schema has them. */
const opaque = [
  "pattern",
  "format",
  "contentEncoding",
  "contentMediaType",
  "uniqueItems",
  "unevaluatedProperties",
  "unevaluatedItems",
  "minContains",
  "maxContains",
  "$dynamicRef",
];

/**
 * Whether each value that is valid under `narrow` is valid under `wide`, as far as their keywords show: each keyword of
 * `wide` must follow from one of `narrow`. "No" means that it was not proven. Two choices by `oneOf` are compared
 * branch by branch, as registries do, though a value could match two branches of the wider one.
 */
export function implies(narrow: Schema, wide: Schema): boolean {
  return new Comparison().follows([{ schema: narrow, root: narrow }], { schema: wide, root: wide });
}

class Comparison {
  readonly #ids = new WeakMap<object, number>();
  /** Pairs under comparison: what recurs to itself holds if all else does. */
  readonly #open = new Set<string>();
  /** Schemas without one of their choices, made once, so that what recurs is known again. */
  readonly #without = new WeakMap<object, Map<string, Schema>>();
  #comparisons = 0;
  #lastId = 0;

  /** `given`: schemas that all hold. */
  follows(given: readonly Placed[], wanted: Placed): boolean {
    const seen = new Set<Schema>();
    const facts = given.flatMap((each) => this.#flatten(each, seen));
    if (wanted.schema === true || isImpossible(facts)) return true;
    if (wanted.schema === false || ++this.#comparisons > maxComparisons) return false;
    const ids = facts.map(({ schema }) => this.#id(schema)).sort();
    const key = `${ids.join()}>${this.#id(wanted.schema)}`;
    if (this.#open.has(key)) return true;
    if (this.#open.size === maxDepth) return false;
    this.#open.add(key);
    const held = this.#holds(facts, wanted);
    this.#open.delete(key);
    return held;
  }

  #id(schema: Schema): number | boolean {
    if (typeof schema === "boolean") return schema;
    const id = this.#ids.get(schema) ?? ++this.#lastId;
    this.#ids.set(schema, id);
    return id;
  }

  /** A schema, what it refers to and its `allOf`, as one list. */
  #flatten(placed: Placed, seen: Set<Schema>): Placed[] {
    const { schema, root } = placed;
    if (seen.has(schema)) return [];
    seen.add(schema);
    const keywords = keywordsOf(schema);
    const target = typeof keywords.$ref === "string" ? resolveReference(keywords.$ref, root) : undefined;
    const further = [...(target === undefined ? [] : [target]), ...(listOf(keywords, "allOf") as Schema[])];
    return [placed, ...further.flatMap((each) => this.#flatten({ schema: each, root }, seen))];
  }

  #holds(facts: readonly Placed[], wanted: Placed): boolean {
    const { root } = wanted;
    const wide = keywordsOf(wanted.schema);
    if (typeof wide.$ref === "string") {
      const target = resolveReference(wide.$ref, root);
      if (target === undefined || !this.follows(facts, { schema: target, root })) return false;
    }
    if (this.#direct(facts, wide, root)) return true;
    return this.#splits(facts).some((cases) => cases.every((facts) => this.follows(facts, wanted)));
  }

  #direct(facts: readonly Placed[], wide: Keywords, root: Schema): boolean {
    const types = typesOf(facts);
    const may = (type: TypeName) => types === undefined || types.has(type);
    const wideTypes = namedTypes(wide);
    if (wideTypes !== undefined && !(types?.isSubsetOf(wideTypes) ?? false)) return false;
    return (
      this.#values(facts, wide) &&
      opaque.every((keyword) => wide[keyword] === undefined || wide[keyword] === false || same(facts, wide, keyword)) &&
      (!(may("number") || may("integer")) || numbersFollow(facts, wide)) &&
      limits.every(([type, low, high]) => !may(type) || countsFollow(facts, wide, low, high)) &&
      (!may("object") || this.#members(facts, wide, root)) &&
      (!may("array") || this.#items(facts, wide, root)) &&
      this.#choices(facts, wide, root)
    );
  }

  #values(facts: readonly Placed[], wide: Keywords): boolean {
    const allowed = valuesOf(wide);
    if (allowed === undefined) return true;
    return facts.some(({ schema }) => {
      const values = valuesOf(keywordsOf(schema));
      return values?.every((value) => allowed.some((each) => isDeepStrictEqual(each, value))) ?? false;
    });
  }

  #members(facts: readonly Placed[], wide: Keywords, root: Schema): boolean {
    const follows = (given: readonly Placed[], schema: unknown) =>
      this.follows(given, { schema: schema as Schema, root });
    const required = new Set(facts.flatMap(({ schema }) => listOf(keywordsOf(schema), "required")));
    if (!listOf(wide, "required").every((name) => required.has(name))) return false;

    const properties = membersOf(wide, "properties");
    if (!Object.entries(properties).every(([name, schema]) => follows(memberFacts(facts, name), schema))) return false;

    const patterns = Object.entries(membersOf(wide, "patternProperties"));
    const names = [...new Set(facts.flatMap(({ schema }) => Object.keys(membersOf(keywordsOf(schema), "properties"))))];
    for (const [pattern, schema] of patterns) {
      const given = facts.filter((fact) => Object.hasOwn(patternsOf(fact), pattern));
      const others = [otherFacts(facts), ...patternFacts(facts, [])];
      const same = given.map((fact) => ({ schema: patternsOf(fact)[pattern] as Schema, root: fact.root }));
      if (!(same.length > 0 ? follows(same, schema) : others.every((each) => follows(each, schema)))) return false;
      const named = names.filter((name) => matches(pattern, name));
      if (!named.every((name) => follows(memberFacts(facts, name), schema))) return false;
    }

    const { additionalProperties } = wide;
    if (additionalProperties !== undefined && additionalProperties !== true) {
      const own = patterns.map(([pattern]) => pattern);
      const left = names.filter(
        (name) => !Object.hasOwn(properties, name) && !own.some((pattern) => matches(pattern, name)),
      );
      const given = [...left.map((name) => memberFacts(facts, name)), ...patternFacts(facts, own), otherFacts(facts)];
      if (!given.every((each) => follows(each, additionalProperties))) return false;
    }

    const { propertyNames } = wide;
    const nameFacts = facts.flatMap(({ schema, root }) => {
      const { propertyNames = true } = keywordsOf(schema);
      return [{ schema: propertyNames as Schema, root }];
    });
    const aName: Placed = { schema: oneType.string, root: true };
    if (propertyNames !== undefined && !follows([aName, ...nameFacts], propertyNames)) return false;
    return dependencies(wide).every(([name, needs]) => this.#depends(facts, required, name, needs, root));
  }

  /** With the member there, what depends on it follows. */
  #depends(
    facts: readonly Placed[],
    required: ReadonlySet<unknown>,
    name: string,
    needs: unknown,
    root: Schema,
  ): boolean {
    const given = facts.flatMap((fact) =>
      dependencies(keywordsOf(fact.schema)).flatMap(([own, needs]) => {
        if (own !== name) return [];
        return [{ schema: (Array.isArray(needs) ? { required: needs } : needs) as Schema, root: fact.root }];
      }),
    );
    if (Array.isArray(needs) && needs.every((each) => required.has(each))) return true;
    const schema = (Array.isArray(needs) ? { required: needs } : needs) as Schema;
    return this.follows([...facts, ...given, { schema: { required: [name] }, root: true }], { schema, root });
  }

  #items(facts: readonly Placed[], wide: Keywords, root: Schema): boolean {
    const { places, rest } = itemsOf(wide);
    const given = facts.map((fact) => ({ ...itemsOf(keywordsOf(fact.schema)), root: fact.root }));
    const most = Math.max(places.length, ...given.map((each) => each.places.length));
    // Including one place beyond all that are told apart: the rest.
    for (let at = 0; at <= most; at++) {
      const facts = given.map(({ places, rest, root }) => ({ schema: (places[at] ?? rest) as Schema, root }));
      if (!this.follows(facts, { schema: (places[at] ?? rest) as Schema, root })) return false;
    }
    if (wide.contains === undefined) return true;
    return facts.some((fact) => {
      const { contains } = keywordsOf(fact.schema);
      const wanted = { schema: wide.contains as Schema, root };
      return contains !== undefined && this.follows([{ schema: contains as Schema, root: fact.root }], wanted);
    });
  }

  #choices(facts: readonly Placed[], wide: Keywords, root: Schema): boolean {
    const follows = (schema: unknown, more: readonly Placed[] = []) =>
      this.follows([...facts, ...more], { schema: schema as Schema, root });
    if (!listOf(wide, "allOf").every((each) => follows(each))) return false;
    if (wide.anyOf !== undefined && !listOf(wide, "anyOf").some((each) => follows(each))) return false;
    if (wide.oneOf !== undefined && !this.#oneOf(facts, listOf(wide, "oneOf") as Schema[], root)) return false;
    if (wide.not !== undefined && !this.#not(facts, { schema: wide.not as Schema, root })) return false;
    if (wide.if === undefined) return true;
    const same = facts.filter(({ schema }) => isDeepStrictEqual(keywordsOf(schema).if, wide.if));
    return (["then", "else"] as const).every((branch) => {
      const given = same.map(({ schema, root }) => ({ schema: (keywordsOf(schema)[branch] ?? true) as Schema, root }));
      return follows(wide[branch] ?? true, given);
    });
  }

  #oneOf(facts: readonly Placed[], branches: readonly Schema[], root: Schema): boolean {
    const chosen = facts.find(({ schema }) => keywordsOf(schema).oneOf !== undefined);
    if (chosen !== undefined) {
      const own = listOf(keywordsOf(chosen.schema), "oneOf") as Schema[];
      const some = (given: Schema) =>
        branches.some((schema) => this.follows([{ schema: given, root: chosen.root }], { schema, root }));
      if (own.every(some)) return true;
    }
    const types = typesOf(facts);
    const fitting = branches.filter((schema) => {
      const its = typesOf(this.#flatten({ schema, root }, new Set()));
      return types === undefined || its === undefined || !types.isDisjointFrom(its);
    });
    return fitting.length === 1 && this.follows(facts, { schema: fitting[0] as Schema, root });
  }

  #not(facts: readonly Placed[], refused: Placed): boolean {
    const types = typesOf(facts);
    const its = typesOf(this.#flatten(refused, new Set()));
    if (types !== undefined && its !== undefined && types.isDisjointFrom(its)) return true;
    return facts.some(({ schema, root }) => {
      const { not } = keywordsOf(schema);
      return not !== undefined && this.follows([refused], { schema: not as Schema, root });
    });
  }

  /** The ways to tell cases apart: by the branches of a choice, and by type. Each case has the other facts as well. */
  #splits(facts: readonly Placed[]): Placed[][][] {
    const ways: Placed[][][] = [];
    for (const [index, { schema, root }] of facts.entries()) {
      for (const keyword of ["anyOf", "oneOf"]) {
        const branches = listOf(keywordsOf(schema), keyword) as Schema[];
        if (branches.length === 0) continue;
        const others = facts.toSpliced(index, 1, { schema: this.#withoutChoice(schema as Keywords, keyword), root });
        ways.push(branches.map((branch) => [...others, { schema: branch, root }]));
      }
    }
    const types = [...(typesOf(facts) ?? [])].filter((type, _, all) => type !== "integer" || !all.includes("number"));
    if (types.length > 1) ways.push(types.map((type) => [...facts, { schema: oneType[type], root: true }]));
    return ways;
  }

  /** What else the schema says; its references and `allOf` stand among the facts already. */
  #withoutChoice(schema: Keywords, keyword: string): Schema {
    const made = this.#without.get(schema) ?? new Map<string, Schema>();
    this.#without.set(schema, made);
    const { [keyword]: _, allOf: __, $ref: ___, ...rest } = schema;
    const found = made.get(keyword) ?? rest;
    made.set(keyword, found);
    return found;
  }
}

const oneType: { readonly [T in TypeName]: Schema } = {
  null: { type: "null" },
  boolean: { type: "boolean" },
  integer: { type: "integer" },
  number: { type: "number" },
  string: { type: "string" },
  array: { type: "array" },
  object: { type: "object" },
};
