type Mode = "upsert" | "append" | "replace";

/** What a load's destinations promise, and with it what is looked at there. */
export const kinds = {
  /** Each record once. */
  upsert: { table: "upsert", file: "replace", delivery: {} },
  /** What was in hand may come twice. */
  append: { table: "append", file: "append", delivery: {} },
  /** Each record once, in a table that knows no keys of its own. */
  idempotent: { table: "append", file: "replace", delivery: { idempotency: { window: "1h" } } },
  /** Once each, and those of an account in the order of the source. */
  key: { table: "upsert", file: "replace", delivery: { ordering: "key", key: ["account"] } },
  /** Once each, and all in the order of the source. */
  strict: { table: "upsert", file: "append", delivery: { ordering: "strict" } },
} as const satisfies Record<string, { readonly table: Mode; readonly file: Mode; readonly delivery: object }>;

export type LoadKind = keyof typeof kinds;
export const loadKinds = Object.keys(kinds) as LoadKind[];

/** In the short form each scenario has one of its own; in the long form the rounds take turns. CHAOS_LOAD is for all. */
export function kindOf(scenario: string, seed: number, scale: "short" | "long"): LoadKind {
  const asked = process.env.CHAOS_LOAD as LoadKind | undefined;
  if (asked !== undefined) return asked;
  const sum = [...scenario].reduce((total, letter) => total + letter.charCodeAt(0), scale === "long" ? seed : 0);
  return loadKinds[sum % loadKinds.length] as LoadKind;
}
