import { RetryLaterError, type SluiceError } from "../../runtime/errors/index.ts";
import { encodeHooks, type HookRecord, hookAsk, type Outcome, sizeOf } from "../../runtime/hooks/index.ts";
import type { Owners } from "../../runtime/ports/owners.ts";

type OutcomeOf = (typeof Outcome)[keyof typeof Outcome];

interface Waiting {
  readonly record: HookRecord;
  readonly bytes: number;
  readonly settle: (outcome: OutcomeOf | SluiceError) => void;
}

/** Of one integration: what waits for its owner is not what others wait for. */
const atMost = { records: 5_000, bytes: 16 * 1024 * 1024 };
/** Of one request to the owner. */
const atOnce = { records: 500, bytes: 512 * 1024 };
/** Of a record: its length, its id, and whatever correlates it. */
const overhead = 512;
/** So many requests to an owner are under way: what comes meanwhile goes into the next. */
const underWay = 4;
const patienceMs = 10_000;
const againMs = 1_000;

/** The records for one integration that wait for its owner: many requests share one question to it. */
export class Inbox {
  readonly #integrationId: string;
  readonly #owners: Pick<Owners, "ask" | "maxBytes">;
  #queue: Waiting[] = [];
  #bytes = 0;
  #asking = 0;
  #scheduled = false;

  constructor(integrationId: string, owners: Pick<Owners, "ask" | "maxBytes">) {
    this.#integrationId = integrationId;
    this.#owners = owners;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#asking === 0;
  }

  /**
   * Throws RetryLaterError where too much waits, and 413 for a record that is larger, with its headers, than nodes take of
   * each other. `settle` is called for each, in any order, with what became of it.
   */
  add(records: readonly HookRecord[], settle: (outcome: OutcomeOf | SluiceError) => void): void {
    const waiting = records.map((record) => ({ record, bytes: sizeOf(record) + overhead, settle }));
    if (waiting.some((each) => each.bytes > this.#owners.maxBytes))
      throw Object.assign(new Error("the record is larger than the log takes"), { statusCode: 413 });
    const bytes = waiting.reduce((sum, each) => sum + each.bytes, 0);
    const isFull = this.#queue.length + records.length > atMost.records || this.#bytes + bytes > atMost.bytes;
    if (isFull && this.#queue.length > 0)
      throw new RetryLaterError("too many requests wait for the integration", againMs);
    for (const each of waiting) this.#queue.push(each);
    this.#bytes += bytes;
    this.#schedule();
  }

  /** Together with what else comes in this turn. */
  #schedule(): void {
    if (this.#scheduled || this.#asking >= underWay || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const waiting = this.#take();
    this.#asking++;
    this.#schedule();
    try {
      const request = encodeHooks(waiting.map(({ record }) => record));
      const outcomes = await this.#owners.ask(this.#integrationId, hookAsk, request, { timeoutMs: patienceMs });
      for (const [index, { settle }] of waiting.entries()) settle(outcomes[index] as OutcomeOf);
    } catch (error) {
      for (const { settle } of waiting) settle(error as SluiceError);
    } finally {
      this.#asking--;
      this.#schedule();
    }
  }

  #take(): Waiting[] {
    const most = Math.min(atOnce.bytes, this.#owners.maxBytes);
    let bytes = 0;
    let count = 0;
    for (const each of this.#queue) {
      if (count > 0 && (count >= atOnce.records || bytes + each.bytes > most)) break;
      bytes += each.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#queue.splice(0, count);
  }
}
