import { hash } from "node:crypto";
import type { Json, JsonObject } from "../../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../../config/index.ts";
import { type FieldPath, getField, parseFieldPath } from "../../mapping/index.ts";
import { parseJson } from "../../record/index.ts";
import { StepRefusal } from "../step.ts";
import { groupKey, keyFields } from "./group-key.ts";
import { createAccumulator } from "./measure.ts";
import { Window, type WindowState } from "./window.ts";
import { WindowHeap } from "./window-heap.ts";

export type AggregateStep = Extract<ResolvedStep, { type: "aggregate" }>;

/** A group as it is stored between batches. */
export interface StoredGroup {
  readonly step: string;
  /** Canonical JSON text of the key's values. As long as they are: what has a limit takes its hash. */
  readonly key: string;
  /** Null: closed. */
  readonly state: Json | null;
}

export interface ClosedWindow {
  /** Unique, and the same again after a crash: made of the step's id and the id of the window's first record. */
  readonly id: string;
  /**
   * `{key, count, window_start, window_end, measures}`, and with `emit` the records `first` and `last`: `key` has the
   * key's fields at their paths, times are RFC 3339 in UTC.
   */
  readonly value: JsonObject;
}

/**
 * The open windows of one step `aggregate`. A window opens with a group's first record, and closes by count, by time or
 * at the run's end. All of it is memory: the caller stores `changes()` together with what it acknowledges.
 */
export class Aggregate {
  readonly #step: AggregateStep;
  readonly #key: readonly FieldPath[];
  readonly #paths: readonly FieldPath[];
  readonly #fingerprint: string;
  /** Open windows by key, in the order in which they were opened. */
  readonly #open = new Map<string, Window>();
  /** The same by time; empty where no duration is set. */
  readonly #byStart = new WindowHeap<Window>();
  /** Keys whose groups changed since `changes()`, with whether a window of theirs is stored. */
  readonly #changed = new Map<string, boolean>();
  /** Values of the record at hand, by measure; kept to spare an array a record. */
  readonly #found: (Json | undefined)[];
  #opened = 0;

  constructor(step: AggregateStep) {
    const { key, measures, emit } = step;
    this.#step = step;
    this.#key = key.map(parseFieldPath);
    this.#paths = measures.map(({ path }) => (path === null ? [] : parseFieldPath(path)));
    this.#found = measures.map(() => undefined);
    const shape = JSON.stringify([key, measures, emit !== null]);
    this.#fingerprint = hash("sha256", shape, "hex").slice(0, 8);
  }

  /**
   * Goes on from stored groups of this step. Gives back those that it cannot: their windows were opened when the step
   * had another key or other measures.
   */
  restore(groups: readonly StoredGroup[]): StoredGroup[] {
    const foreign: StoredGroup[] = [];
    const windows: Window[] = [];
    for (const group of groups) {
      const state = group.state as unknown as WindowState | null;
      if (state === null) continue;
      if (state.of === this.#fingerprint) windows.push(this.#restored(group.key, state));
      else foreign.push(group);
    }
    for (const window of windows.sort((a, b) => a.order - b.order)) this.#insert(window);
    this.#opened = Math.max(this.#opened, (windows.at(-1)?.order ?? -1) + 1);
    return foreign;
  }

  /**
   * Adds records, in order, at processing time `now` (ms): first closes what is due, then each window that reaches its
   * count. A record that fails is added to no measure at all. Where `fail` throws, this instance is of no more use.
   */
  add(
    values: readonly JsonObject[],
    recordId: (index: number) => string,
    now: number,
    fail: (index: number, refusal: StepRefusal) => void,
  ): ClosedWindow[] {
    const closed = this.due(now);
    const countLimit = this.#step.window.count ?? Number.POSITIVE_INFINITY;
    const openers = new Map<string, number>();
    for (let index = 0; index < values.length; index++) {
      const record = values[index] as JsonObject;
      const key = groupKey(record, this.#key);
      const window = this.#open.get(key) ?? this.#created(key, now);
      const refusal = this.#refusal(window, record);
      if (refusal !== undefined) {
        fail(index, refusal);
        continue;
      }
      if (window.count === 0) {
        window.id = openerId(recordId(index), openers);
        if (this.#step.emit !== null) window.first = JSON.stringify(record);
        this.#opened++;
        this.#insert(window);
      }
      this.#take(window, record);
      if (window.count >= countLimit) closed.push(this.#close(window, Math.max(now, window.start)));
    }
    return closed;
  }

  /** Closes the windows whose time is over at `now`, oldest first. */
  due(now: number): ClosedWindow[] {
    const closed: ClosedWindow[] = [];
    for (let due = this.nextDue; due !== undefined && due <= now; due = this.nextDue) {
      closed.push(this.#close(this.#byStart.first as Window, due));
    }
    return closed;
  }

  /** Closes every window, as a run's end does. */
  flush(now: number): ClosedWindow[] {
    const closed = this.due(now);
    for (const window of this.#open.values()) closed.push(this.#close(window, Math.max(now, window.start)));
    return closed;
  }

  /** When the next window is due, in ms; undefined where none is open or no duration is set. */
  get nextDue(): number | undefined {
    const { first } = this.#byStart;
    return first && first.start + (this.#step.window.durationMs as number);
  }

  /** Groups changed since the last call, each once with its newest state; not those opened and closed in between. */
  changes(): StoredGroup[] {
    const changes: StoredGroup[] = [];
    for (const [key, stored] of this.#changed) {
      const window = this.#open.get(key);
      if (window !== undefined) {
        window.changed = false;
        window.stored = true;
        changes.push({ step: this.#step.id, key, state: window.state(this.#fingerprint) });
      } else if (stored) changes.push({ step: this.#step.id, key, state: null });
    }
    this.#changed.clear();
    return changes;
  }

  #created(key: string, now: number): Window {
    const accumulators = this.#step.measures.map((measure) => createAccumulator(measure.function));
    return new Window(key, now, this.#opened, accumulators);
  }

  #restored(key: string, state: WindowState): Window {
    const accumulators = this.#step.measures.map((measure, i) =>
      createAccumulator(measure.function, state.measures[i] as Json),
    );
    const window = new Window(key, state.start, state.order, accumulators);
    window.id = state.id;
    window.count = state.count;
    window.first = state.first ?? null;
    window.last = state.last === undefined ? null : (parseJson(state.last) as JsonObject);
    window.stored = true;
    return window;
  }

  #insert(window: Window): void {
    this.#open.set(window.key, window);
    if (this.#step.window.durationMs !== null) this.#byStart.add(window);
  }

  /** Looks up what the measures take of the record. The message says types, never values. */
  #refusal(window: Window, record: JsonObject): StepRefusal | undefined {
    for (let i = 0; i < this.#paths.length; i++) {
      const value = getField(record, this.#paths[i] as FieldPath);
      this.#found[i] = value;
      const why = value === undefined ? undefined : window.accumulators[i]?.refusal(value);
      if (why === undefined) continue;
      const { name, function: measure, path } = this.#step.measures[i] as AggregateStep["measures"][number];
      return new StepRefusal(`measure ${name}: ${measure} of ${path}, which ${why}`);
    }
    return undefined;
  }

  #take(window: Window, record: JsonObject): void {
    for (let i = 0; i < this.#found.length; i++) {
      const value = this.#found[i];
      if (value !== undefined) window.accumulators[i]?.add(value);
    }
    window.count++;
    if (this.#step.emit !== null) window.last = record;
    this.#touch(window);
  }

  #touch(window: Window): void {
    if (window.changed) return;
    window.changed = true;
    if (!this.#changed.has(window.key)) this.#changed.set(window.key, window.stored);
  }

  #close(window: Window, end: number): ClosedWindow {
    this.#open.delete(window.key);
    if (this.#step.window.durationMs !== null) this.#byStart.remove(window);
    this.#touch(window);
    const { measures, emit } = this.#step;
    return {
      id: `${this.#step.id}/${window.id}`,
      value: {
        key: keyFields(window.key, this.#key),
        count: window.count,
        window_start: new Date(window.start).toISOString(),
        window_end: new Date(end).toISOString(),
        ...(emit !== null && { first: parseJson(window.first as string), last: window.last }),
        measures: Object.fromEntries(measures.map(({ name }, i) => [name, window.accumulators[i]?.result as Json])),
      },
    };
  }
}

/** A record that came over two branches, which are in one batch, may open two windows. */
function openerId(recordId: string, openers: Map<string, number>): string {
  const before = openers.get(recordId) ?? 0;
  openers.set(recordId, before + 1);
  return before === 0 ? recordId : `${recordId}/${before}`;
}

/** What a step without `emit` gives of a closed window: the key's fields and the measures. */
export function plainResult({ key, measures }: JsonObject): JsonObject {
  return { ...(key as JsonObject), ...(measures as JsonObject) };
}
