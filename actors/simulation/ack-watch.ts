import { recordId } from "../../runtime/pipeline/index.ts";
import type { LogKind } from "../../runtime/ports/log.ts";
import type { Outcome } from "../../runtime/testing/index.ts";
import { sinkName } from "../balance.ts";
import { ordinalOf } from "../dead-letter.ts";
import { KeyRanges } from "../key-ranges.ts";
import { messageKey } from "../settled-keys.ts";
import { positionBase } from "../source-name.ts";
import type { HeldRecords } from "./held-records.ts";
import type { Delivered, Entry, MemoryStream } from "./memory-log.ts";
import { integrationId, type Servers } from "./servers.ts";

/** Looks at acknowledgements from outside, by what the store and the destinations hold at that time. */
export class AckWatch {
  readonly #servers: Servers;
  readonly #destinations: ReadonlyMap<string, Pick<HeldRecords, "inDoubt">>;
  /** How often each batch was acknowledged, by log, consumer and sequence. */
  readonly #times = new Map<string, number>();
  readonly #violations = new Set<string>();

  constructor(servers: Servers, destinations: ReadonlyMap<string, Pick<HeldRecords, "inDoubt">>) {
    this.#servers = servers;
    this.#destinations = destinations;
  }

  /** The log was told that a batch is done, whether or not it heard it. */
  told(kind: LogKind, delivered: Delivered): void {
    if (!isBatch(delivered.entry)) return;
    this.#checkSettled(kind, delivered);
    this.#checkConfirmed(delivered);
  }

  /** The log heard it. */
  heard(kind: LogKind, { consumer, entry }: Delivered): void {
    if (!isBatch(entry)) return;
    const key = `${kind} ${consumer} ${entry.sequence}`;
    const times = (this.#times.get(key) ?? 0) + 1;
    this.#times.set(key, times);
    if (times > 1) this.#violations.add(`${nameOf(entry)} was acknowledged ${times} times`);
  }

  get acks(): Outcome["acks"] {
    const { ingest, deliver } = this.#servers.streams;
    return { due: [...ingest.entries, ...deliver.entries].filter(isBatch).length, done: this.#times.size };
  }

  get violations(): readonly string[] {
    return [...this.#violations];
  }

  /** Invariants 2 and 3: what became of a batch is stored before the log forgets it. */
  #checkSettled(kind: LogKind, { consumer, entry }: Delivered): void {
    const key = keyOf(entry);
    const { tables, streams } = this.#servers;
    // Of a part the ledger alone knows.
    if (typeof key !== "number" || new KeyRanges(tables.checkpoints.get(consumer)?.settled ?? []).has(key)) return;
    // Of a batch that was appended twice, one stands for the other.
    const copies = streams[kind].entries.filter((one) => one.subject === entry.subject && keyOf(one) === key);
    if (copies.length < 2) this.#violations.add(`${nameOf(entry)} was acknowledged before it was settled`);
  }

  /** A destination has confirmed a record, or the store has it: for a later try, or in the dead letters. */
  #checkConfirmed({ consumer, entry }: Delivered): void {
    const { header } = entry.batch;
    const { deadLetters, retries } = this.#servers.tables;
    const stored = [...deadLetters.values(), ...Array.from(retries.values(), ({ letter }) => letter)];
    const letters = new Set(stored.map(({ recordId }) => recordId));
    const base = positionBase(header);
    const id = (origin: number, child: string) => recordId(integrationId, base, ordinalOf(header, origin), child);
    const origins = header.origins ?? Array.from({ length: header.count }, (_, index) => index);
    for (const [destination, { inDoubt }] of this.#destinations) {
      if (this.#destinations.size > 1 && sinkName(destination) !== consumer) continue;
      for (const [index, origin] of origins.entries()) {
        const record = id(origin, header.children?.[index] ?? "");
        if (!inDoubt.has(record) || letters.has(record) || letters.has(id(origin, ""))) continue;
        this.#violations.add(`${nameOf(entry)} was acknowledged before destination ${destination} had confirmed it`);
      }
    }
  }
}

/** Which batch of records of its subject an entry is, from 1; 0: none. */
export function nthBatch({ entries }: MemoryStream, { subject, sequence }: Entry): number {
  const batches = entries.filter((one) => one.subject === subject && isBatch(one));
  return batches.findIndex((one) => one.sequence === sequence) + 1;
}

const isBatch = ({ batch }: Entry): boolean => batch.header.kind === "records";
const keyOf = ({ batch: { header }, sequence }: Entry) => messageKey({ header, sequence });
const nameOf = ({ subject, sequence }: Entry): string => `message ${sequence} (${subject})`;
