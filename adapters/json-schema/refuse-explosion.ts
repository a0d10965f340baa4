import type { Json, JsonSchema } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import { isObject } from "../../runtime/record/index.ts";
import { resolveReference } from "../../runtime/schema/index.ts";

/** Schemas that one value is held against, at most. What people write takes some dozens. */
const most = 10_000;

const lists = ["allOf", "anyOf", "oneOf"];
const ones = ["not", "if", "then", "else"];
const maps = ["dependentSchemas", "dependencies"];
/** Keywords with values, which are no schemas. */
const values: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

/**
 * Throws VALIDATION_ERROR for a schema of few words that holds a value against more schemas than there is time for:
 * references within choices double at each step, and one that comes back to itself has no end. Ajv would follow them
 * all, on the thread that everything runs on.
 */
export function refuseExplosion(schema: object | boolean): void {
  const root = schema as Json;
  const costs = new Map<object, number>();

  /** Schemas that the same value is held against with this one. */
  function costOf(at: Json | undefined): number {
    if (!isObject(at)) return 1;
    const known = costs.get(at);
    if (known !== undefined) return known;
    // For whoever comes back here with the same value.
    costs.set(at, Number.POSITIVE_INFINITY);
    const target = typeof at.$ref === "string" ? resolveReference(at.$ref, schema as JsonSchema) : undefined;
    const further = [
      target as Json | undefined,
      ...lists.flatMap((keyword) => at[keyword] as Json[] | undefined),
      ...ones.map((keyword) => at[keyword]),
      ...maps.flatMap((keyword) => (isObject(at[keyword]) ? Object.values(at[keyword]) : [])),
    ];
    const cost = further.reduce<number>((sum, each) => (each === undefined ? sum : sum + costOf(each)), 1);
    costs.set(at, cost);
    return cost;
  }

  function look(at: Json | undefined): void {
    if (Array.isArray(at)) for (const each of at) look(each);
    if (!isObject(at)) return;
    if (costOf(at) > most) {
      const reason = "by its references and choices it would hold one value against more than 10,000 schemas";
      throw new SluiceError("VALIDATION_ERROR", `is refused: ${reason}, or against itself without end`);
    }
    for (const [keyword, each] of Object.entries(at)) if (!values.has(keyword)) look(each);
  }

  look(root);
}
