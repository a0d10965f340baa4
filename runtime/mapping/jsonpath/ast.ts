import type { Json } from "../../../connectors/sdk/index.ts";

/** A JSONPath query (RFC 9535) as parsed. `root` says whether it begins at `$` or at `@`. */
export interface Query {
  readonly root: "$" | "@";
  readonly segments: readonly Segment[];
  /** At most one node: names and indexes only. */
  readonly singular: boolean;
  /** As it was written. */
  readonly text: string;
}

export interface Segment {
  readonly descendant: boolean;
  readonly selectors: readonly Selector[];
}

export type Selector =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "wildcard" }
  | { readonly kind: "slice"; readonly start: number | null; readonly end: number | null; readonly step: number }
  | { readonly kind: "filter"; readonly where: Logical };

export type Logical =
  | { readonly kind: "or" | "and"; readonly terms: readonly Logical[] }
  | { readonly kind: "not"; readonly term: Logical }
  | { readonly kind: "exists"; readonly query: Query }
  | { readonly kind: "pattern"; readonly whole: boolean; readonly value: Comparable; readonly pattern: Comparable }
  | { readonly kind: "compare"; readonly left: Comparable; readonly operator: Operator; readonly right: Comparable };

export type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** What has one value or none. */
export type Comparable =
  | { readonly kind: "literal"; readonly value: Json }
  | { readonly kind: "query"; readonly query: Query }
  | { readonly kind: "length"; readonly of: Comparable }
  | { readonly kind: "count" | "value"; readonly query: Query };
