import type { Json } from "../../connectors/sdk/index.ts";
import type { Script } from "../ports/sandbox.ts";
import type { CastName } from "./cast.ts";
import type { FieldPath } from "./field-path.ts";
import type { Logical, Query } from "./jsonpath/ast.ts";
import type { Template } from "./template.ts";

/** A rule as parsed: every text in it has been read, and its index is its place in the list. */
export type Rule = WriteRule | DropRule;

export interface WriteRule {
  readonly kind: "write";
  readonly index: number;
  readonly when: Logical | Script | undefined;
  readonly source: Source;
  /** The source as a message names it. */
  readonly from: string;
  readonly default: Given | undefined;
  readonly each: readonly Rule[] | undefined;
  readonly transform: Script | undefined;
  readonly cast: CastName | undefined;
  readonly onError: OnError;
  /** `*`: the members of the value, one by one, into the record. */
  readonly destination: FieldPath | "*";
  /** The destination as it was written. */
  readonly to: string;
}

export interface DropRule {
  readonly kind: "drop";
  readonly index: number;
  readonly when: Logical | Script | undefined;
  readonly path: FieldPath;
}

export type Source =
  | { readonly kind: "query"; readonly query: Query }
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "value"; readonly value: Json }
  /** A transform alone. */
  | { readonly kind: "none" };

/** A value that was given, be it null. */
export interface Given {
  readonly value: Json;
}

export const onErrors = ["fail", "default", "skip"] as const;
export type OnError = (typeof onErrors)[number];

/** Whether a predicate is a script, `{ "js": … }`. */
export function isScript(when: Logical | Script | undefined): when is Script {
  return when !== undefined && "source" in when;
}

/** Whether a rule, or one within its `each`, has a script. */
export function isScripted(rule: Rule): boolean {
  if (isScript(rule.when)) return true;
  return rule.kind === "write" && (rule.transform !== undefined || (rule.each?.some(isScripted) ?? false));
}
