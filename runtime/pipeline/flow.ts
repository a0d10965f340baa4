import type { JsonObject } from "../../connectors/sdk/index.ts";

/** Records between two steps, in columns. */
export interface Flow {
  /** Index, in its batch, of the source record that `values[i]` descends from. */
  readonly origins: readonly number[];
  readonly values: readonly JsonObject[];
  /** Place among its siblings where a step made several of one record: `3`, `3.0`; the empty text for the record itself. */
  readonly children?: readonly string[] | undefined;
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

  build(): Flow {
    return { origins: this.#origins, values: this.#values, children: this.#children };
  }
}

/** All records of several flows, one after another: what comes over two branches passes twice. */
export function union(flows: readonly Flow[]): Flow {
  if (flows.length === 1) return flows[0] as Flow;
  const some = flows.some(({ children }) => children !== undefined);
  return {
    origins: flows.flatMap(({ origins }) => origins),
    values: flows.flatMap(({ values }) => values),
    children: some ? flows.flatMap(({ children, origins }) => children ?? origins.map(() => "")) : undefined,
  };
}
