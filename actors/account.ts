import type { JsonObject } from "../connectors/sdk/index.ts";
import { type StepFailure, StepTally } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import type { ReplayOf } from "../runtime/ports/replays.ts";
import type { ScheduledRetry } from "../runtime/ports/retries.ts";
import type { NewDeadLetter } from "../runtime/ports/store.ts";
import { type Cause, deadLetter, type RunKey, rawRecord, replayOf } from "./dead-letter.ts";
import type { InvokedBatch } from "./invoked-batch.ts";
import type { FailedDelivery } from "./outlets.ts";
import { scheduledRetry } from "./retries.ts";

const entered = 1;
const reached = 2;
const failed = 4;

/**
 * What becomes of one batch. Each source record counts once: as failed, else as what reached a destination or a window,
 * else as filtered. One that never came to the steps counts as nothing, and the ledger does not balance (invariant 8).
 */
export class Account {
  readonly deadLetters: NewDeadLetter[] = [];
  /** What its destination put off. */
  readonly retries: ScheduledRetry[] = [];
  /** Records handed on, by destination. */
  readonly sent = new Map<string, number>();
  /** What the steps took and gave, and `source`: what was read and what entered them. */
  readonly tally = new StepTally();
  /** Results of windows that failed: no records of the source. */
  windowsFailed = 0;
  readonly #message: LogMessage;
  readonly #run: RunKey;
  readonly #invoked: InvokedBatch | undefined;
  readonly #marks: Uint8Array;
  /** Texts of what failed last: thousands of children of one record share them. */
  #raw: { readonly origin: number; readonly bytes: Uint8Array } | undefined;
  #state: { readonly of: JsonObject; readonly text: string | null } | undefined;

  constructor(message: LogMessage, run: RunKey, invoked?: InvokedBatch) {
    this.#message = message;
    this.#run = run;
    this.#invoked = invoked;
    this.#marks = new Uint8Array(message.header.count);
    this.tally.of("source").in += message.header.count;
  }

  entered(origins: readonly number[]): void {
    this.#mark(origins, entered);
  }

  absorbed(origins: readonly number[]): void {
    this.#mark(origins, reached);
    this.#invoked?.absorbed(origins);
  }

  send(destination: string, origins: readonly number[]): void {
    this.#mark(origins, reached);
    this.sent.set(destination, (this.sent.get(destination) ?? 0) + origins.length);
  }

  refused({ origin, child, step, rule, code, message, attempts, errors, state }: StepFailure, drop: boolean): void {
    if (drop) {
      this.tally.of(step).dropped++;
      const cause = { step, destination: null, rule, code, message, attempts, ...(errors && { errors }) };
      this.#invoked?.failed(origin, cause, true);
      return;
    }
    if (this.#state?.of !== state) this.#state = { of: state, text: textOf(() => JSON.stringify(state)) };
    const { text } = this.#state;
    this.fail(origin, child, { step, destination: null, rule, code, message, state: text, attempts, errors });
  }

  undelivered({ record, destination, code, message, attempts, retryInMs }: FailedDelivery, clock: Clock): void {
    const { origin, child } = record;
    const state = textOf(() => record.text);
    const isLater = retryInMs !== undefined && state !== null;
    this.#invoked?.undelivered(origin, destination, { code, message, attempts, ...(isLater && { retryInMs }) });
    const cause = { step: null, destination, rule: null, code, message, state, attempts };
    if (!isLater) this.fail(origin, child, cause);
    else {
      const letter = this.#letter(origin, child, cause);
      this.retries.push(scheduledRetry(letter, record, { destination, retryInMs }, this.#message.header, clock));
    }
  }

  fail(origin: number, child: string, cause: Cause): void {
    if (origin < 0) this.windowsFailed++;
    else this.#mark([origin], failed);
    if (cause.destination === null) this.#invoked?.failed(origin, cause, false);
    this.deadLetters.push(this.#letter(origin, child, cause));
  }

  #letter(origin: number, child: string, cause: Cause): NewDeadLetter {
    // A window's result has no record of the source.
    const raw = origin < 0 ? Buffer.from(cause.state ?? "") : this.#rawOf(origin);
    return deadLetter({ run: this.#run, header: this.#message.header, origin, child, raw, cause });
  }

  /** Dead letters that nothing of failed again. */
  get replayed(): readonly ReplayOf[] | undefined {
    const { replay } = this.#message.header;
    if (replay === undefined) return undefined;
    // Nobody knows which they were.
    if (this.#message.gone !== undefined) return [];
    const passed: ReplayOf[] = [];
    for (const [origin, mark] of this.#marks.entries()) {
      if (mark > 0 && mark < failed) passed.push(replayOf(replay, origin));
    }
    return passed;
  }

  close(): { readonly reached: number; readonly filtered: number; readonly failed: number } {
    const counts = { reached: 0, filtered: 0, failed: 0 };
    for (const mark of this.#marks) {
      if (mark >= failed) counts.failed++;
      else if (mark >= reached) counts.reached++;
      else if (mark === entered) counts.filtered++;
    }
    return counts;
  }

  #rawOf(origin: number): Uint8Array {
    if (this.#raw?.origin !== origin) this.#raw = { origin, bytes: rawRecord(this.#message, origin) };
    return this.#raw.bytes;
  }

  #mark(origins: readonly number[], bit: number): void {
    const marks = this.#marks;
    for (const origin of origins) if (origin >= 0) marks[origin] = (marks[origin] as number) | bit;
  }
}

/** Null where it would be longer than a text can be. */
function textOf(make: () => string): string | null {
  try {
    return make();
  } catch {
    return null;
  }
}
