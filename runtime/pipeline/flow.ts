import type { JsonObject } from "../../connectors/sdk/index.ts";

/** Records between two steps, in columns. */
export interface Flow {
  /** Index, in its batch, of the source record that `values[i]` descends from. */
  readonly origins: readonly number[];
  readonly values: readonly JsonObject[];
  /** Place among its siblings where a step made several of one record: `3`, `3.0`; the empty text for the record itself. */
  readonly children?: readonly string[] | undefined;
  /** Which part of its batch, where a step cut it up: the same again when the batch is processed again. */
  readonly part?: string | undefined;
}

/** The n-th piece of a flow, from 0. The first keeps the flow's own part: most are not cut. */
export function withPart(flow: Flow, parent: string | undefined, by: string, n: number): Flow {
  const part = n === 0 ? parent : `${parent === undefined ? "" : `${parent}/`}${by}.${n}`;
  return part === flow.part ? flow : { ...flow, part };
}

/** Records that go on together from a step that makes many of one. */
export const sliceRecords = 500;

/** Pieces of at most so many records. */
export function* cut(flow: Flow, size: number, by: string): Generator<Flow> {
  const { origins, values, children, part } = flow;
  if (values.length <= size) {
    yield flow;
    return;
  }
  for (let from = 0; from < values.length; from += size) {
    const piece = {
      origins: origins.slice(from, from + size),
      values: values.slice(from, from + size),
      children: children?.slice(from, from + size),
    };
    yield withPart(piece, part, by, from / size);
  }
}

/** Collects records for a flow; `children` costs nothing where there are none. */
export class FlowBuilder {
  readonly #origins: number[] = [];
  readonly #values: JsonObject[] = [];
  #children: string[] | undefined;

  /** Takes over place `index` of `input` with another value. */
  add(input: Flow, index: number, value: JsonObject): void {
    this.#push(input.origins[index] as number, input.children?.[index] ?? "", value);
  }

  /** As `add`, as the n-th of several. */
  addChild(input: Flow, index: number, n: number, value: JsonObject): void {
    const parent = input.children?.[index];
    this.#push(input.origins[index] as number, parent ? `${parent}.${n}` : String(n), value);
  }

  #push(origin: number, child: string, value: JsonObject): void {
    if (child !== "" && this.#children === undefined) this.#children = this.#origins.map(() => "");
    this.#children?.push(child);
    this.#origins.push(origin);
    this.#values.push(value);
  }

  get length(): number {
    return this.#values.length;
  }

  build(): Flow {
    return { origins: this.#origins, values: this.#values, children: this.#children };
  }
}
