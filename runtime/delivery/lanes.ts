import type { OutRecord } from "../../connectors/sdk/index.ts";
import type { Delivered, Undelivered } from "./deliver.ts";
import { Deliverer, type DelivererOptions, type Parcel } from "./deliverer.ts";

/** `key`: of records whose order among themselves is kept, the same text. */
export type Order = "none" | "strict" | { readonly key: (record: OutRecord) => string };

/**
 * Keeps the order in which records are handed in. A lane writes one batch after another, the next only when each record
 * of the former is confirmed or given up. In strict order there is one; by key there are as many as the destination takes
 * writes, and all records of a key go by the same one.
 */
export class Lanes {
  readonly #lanes: readonly Deliverer[];
  readonly #key: ((record: OutRecord) => string) | undefined;

  constructor(order: Order, options: Omit<DelivererOptions, "ordered">) {
    const { concurrency } = options.destination;
    const write = options.destination.write.bind(options.destination);
    const lane = () => new Deliverer({ ...options, ordered: true, destination: { concurrency: 1, write } });
    this.#key = typeof order === "object" && concurrency > 1 ? order.key : undefined;
    if (order === "none") this.#lanes = [new Deliverer(options)];
    else this.#lanes = Array.from({ length: this.#key ? concurrency : 1 }, lane);
  }

  /** As the deliverer's. */
  async submit(parcel: Parcel): Promise<Delivered> {
    const key = this.#key;
    if (key === undefined) return (this.#lanes[0] as Deliverer).submit(parcel);
    const { records, bytes, ...rest } = parcel;
    const shares = this.#lanes.map((): number[] => []);
    for (let i = 0; i < records.length; i++) {
      (shares[hash(key(records[i] as OutRecord)) % shares.length] as number[]).push(i);
    }
    const undelivered: Undelivered[] = [];
    let state: Delivered["state"];
    const submitted = shares.map(async (share, lane) => {
      if (share.length === 0) return;
      const delivered = await (this.#lanes[lane] as Deliverer).submit({
        records: share.map((index) => records[index] as OutRecord),
        bytes: Math.ceil((bytes * share.length) / records.length),
        ...rest,
      });
      for (const each of delivered.undelivered) undelivered.push({ ...each, index: share[each.index] as number });
      if (delivered.state !== undefined) state = delivered.state;
    });
    await Promise.all(submitted);
    return { undelivered: undelivered.sort((a, b) => a.index - b.index), state };
  }

  flush(): void {
    for (const lane of this.#lanes) lane.flush();
  }

  close(reason: unknown): void {
    for (const lane of this.#lanes) lane.close(reason);
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
