import type { Json, JsonObject } from "../../../connectors/sdk/index.ts";
import type { Accumulator } from "./measure.ts";

/** What is stored of a window. Records and values are texts: a store may order members and digits its own way. */
export interface WindowState {
  /** Of the key and the measures that the state is for. */
  readonly of: string;
  readonly id: string;
  readonly start: number;
  readonly order: number;
  readonly count: number;
  /** By measure. */
  readonly measures: readonly Json[];
  readonly first?: string;
  readonly last?: string;
}

/** An open window. */
export class Window {
  readonly key: string;
  /** Processing time of its first record, in ms. */
  readonly start: number;
  /** Grows with every window that is opened. */
  readonly order: number;
  readonly accumulators: readonly Accumulator[];
  /** Of its first record; a second window that the same record opens has a number behind it. */
  id = "";
  count = 0;
  /** Kept for `emit` only; the first record as its text, since that is what is stored at each change. */
  first: string | null = null;
  last: JsonObject | null = null;
  stored = false;
  changed = false;
  place = -1;

  constructor(key: string, start: number, order: number, accumulators: readonly Accumulator[]) {
    this.key = key;
    this.start = start;
    this.order = order;
    this.accumulators = accumulators;
  }

  state(of: string): Json {
    const { id, start, order, count, first, last } = this;
    const measures = this.accumulators.map(({ state }) => state);
    return {
      of,
      id,
      start,
      order,
      count,
      measures,
      ...(first !== null && { first, last: JSON.stringify(last) }),
    };
  }
}
