import type { JsonObject } from "../../connectors/sdk/index.ts";
import { differences, type FieldChange } from "./differences.ts";
import { creationNotes, type Note, updateNotes } from "./plan-notes.ts";

export type ConfigKind = "plugin" | "connector" | "integration";

/** One connector or integration, as it is or as it should be: all its fields but `name`. */
export interface Item {
  readonly kind: ConfigKind;
  readonly name: string;
  readonly value: JsonObject;
  /** Of what is there; left out: 1. */
  readonly version?: number;
}

export interface Change {
  readonly kind: ConfigKind;
  readonly name: string;
  readonly action: "create" | "update" | "unchanged";
  /** `before`: null where it is made. */
  readonly version: { readonly before: number | null; readonly after: number };
  /** Fields that differ, by path; none for `create` and `unchanged`. */
  readonly fields: readonly FieldChange[];
  /** What the change does besides changing fields. */
  readonly notes: readonly Note[];
}

/** What applying `wanted` does, in its order. What is not named is left as it is; nothing is ever deleted. */
export function planChanges(current: readonly Item[], wanted: readonly Item[]): Change[] {
  const known = new Map(current.map((item) => [`${item.kind} ${item.name}`, item]));
  return wanted.map(({ kind, name, value }): Change => {
    const there = known.get(`${kind} ${name}`);
    const whole = kind === "integration";
    if (there === undefined) {
      const notes = whole ? creationNotes(value) : [];
      return { kind, name, action: "create", version: { before: null, after: 1 }, fields: [], notes };
    }
    const { version = 1 } = there;
    const fields = differences(there.value, value);
    if (fields.length === 0) {
      return { kind, name, action: "unchanged", version: { before: version, after: version }, fields, notes: [] };
    }
    const notes = whole ? updateNotes(there.value, value) : [];
    return { kind, name, action: "update", version: { before: version, after: version + 1 }, fields, notes };
  });
}
