import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { formatPath, joinPath } from "../errors/index.ts";
import { isObject } from "../record/index.ts";
import { completeIntegration } from "./resolve.ts";

export type ConfigKind = "connector" | "integration";

/** One connector or integration, as it is or as it should be: all its fields but `name`. */
export interface Item {
  readonly kind: ConfigKind;
  readonly name: string;
  readonly value: JsonObject;
}

export interface Change {
  readonly kind: ConfigKind;
  readonly name: string;
  readonly action: "create" | "update" | "unchanged";
  /** Fields that differ, by path; none for `create` and `unchanged`. */
  readonly fields: readonly FieldChange[];
  /** What the change does besides changing fields. */
  readonly notes: readonly Note[];
}

/** A side that is left out does not exist there. */
export interface FieldChange {
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

export interface Note {
  readonly message: string;
  /** Something is lost that applying the former configuration again does not bring back. */
  readonly destructive: boolean;
}

/** What applying `wanted` does, in its order. What is not named is left as it is; nothing is ever deleted. */
export function planChanges(current: readonly Item[], wanted: readonly Item[]): Change[] {
  const known = new Map(current.map((item) => [`${item.kind} ${item.name}`, item.value]));
  return wanted.map(({ kind, name, value }) => {
    const before = known.get(`${kind} ${name}`);
    if (before === undefined) return { kind, name, action: "create", fields: [], notes: [] };
    const fields = differences(before, value);
    if (fields.length === 0) return { kind, name, action: "unchanged", fields, notes: [] };
    const notes = kind === "integration" ? integrationNotes(before, value) : [];
    return { kind, name, action: "update", fields, notes };
  });
}

/** Whether a run under `after` goes on from the cursor that a run under `before` left. */
export function keepsCursor(before: JsonObject, after: JsonObject): boolean {
  const [was, is] = [before, after].map((spec) => completeIntegration(spec).sources);
  return differences({ sources: was! }, { sources: is! }).length === 0;
}

function integrationNotes(before: JsonObject, after: JsonObject): Note[] {
  const notes: Note[] = [];
  if (!keepsCursor(before, after)) {
    notes.push({ message: "the cursor is reset: the next run reads the source from its start", destructive: true });
  } else if (isIncremental(after)) {
    notes.push({ message: "the cursor is kept: the next run goes on where the last one ended", destructive: false });
  }
  const [was, is] = [before, after].map((spec) => completeIntegration(spec).destinations as JsonObject[]);
  const ids = new Set(is!.map(({ id }) => id));
  for (const { id } of was!) {
    if (!ids.has(id)) {
      const message = `destination ${id} is removed: records that still wait for it are not delivered`;
      notes.push({ message, destructive: true });
    }
  }
  return notes;
}

const isIncremental = (spec: JsonObject): boolean =>
  (completeIntegration(spec).sources as JsonObject[]).some(({ mode }) => mode === "incremental");

/** Leaves that differ, by path; objects and arrays are compared inside. */
function differences(before: Json, after: Json, path = ""): FieldChange[] {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => member(before, after, name, joinPath(path, formatPath([name]))));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, i) => i).flatMap((i) => member(before, after, i, `${path}[${i}]`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

function member(
  before: JsonObject | Json[],
  after: JsonObject | Json[],
  key: string | number,
  path: string,
): FieldChange[] {
  const has = (value: object) => Object.hasOwn(value, key);
  const at = (value: JsonObject | Json[]) => (value as JsonObject)[key]!;
  if (!has(before)) return [{ path, after: at(after) }];
  if (!has(after)) return [{ path, before: at(before) }];
  return differences(at(before), at(after), path);
}
