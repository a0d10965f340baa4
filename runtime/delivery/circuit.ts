import type { ResolvedDelivery } from "../config/index.ts";
import type { OpenCircuit } from "../ports/store.ts";

export type CircuitOptions = ResolvedDelivery["circuitBreaker"];

/** A call under way, as `begin` gave it. */
export interface Call {
  readonly round: number;
  readonly trial: boolean;
}

export interface CallOutcome {
  readonly records: number;
  /** Records that failed for a passing reason. */
  readonly failed: number;
  /** The destination is at fault: the circuit opens at once. */
  readonly broken: boolean;
  /** Nothing but time-outs came of it. */
  readonly hung?: boolean;
  /** Why, where there was a failure. */
  readonly reason: string;
  /** What the far side asks for: the circuit stays open no shorter. */
  readonly retryAfterMs: number | undefined;
}

/**
 * So many calls in a row that hung are the destination's fault, however far apart: one that never answers takes each of
 * them for as long as the time limit is, too rarely to be judged by the window.
 */
const hungCalls = 3;
/** The window slides by a twentieth of itself. */
const slots = 20;

/**
 * Whether a destination is called: closed, open for a while, then half open for few calls on trial. A call counts by
 * its records, so that the few that fail again and again do not outweigh the many that pass. Holds no timer: every
 * method is told the time, in milliseconds.
 */
export class Circuit {
  readonly options: CircuitOptions;
  #round = 0;
  /** While it is not closed. */
  #open: (OpenCircuit & { trials: number; passed: number }) | undefined;
  /** When it opened last. */
  #trippedAt = 0;
  #window: { slot: number; calls: number; records: number; failed: number }[] = [];
  #hung = 0;
  readonly #listeners = new Set<() => void>();

  constructor(options: CircuitOptions) {
    this.options = options;
  }

  /** Undefined while it is closed; half open from `until` on. */
  get open(): OpenCircuit | undefined {
    return this.#open;
  }

  /** How long no call may begin: 0, or until a change where calls on trial are under way (Infinity). */
  delay(now: number): number {
    if (!this.#open) return 0;
    if (now < this.#trippedAt) {
      // The machine's clock was set back: it stays open for no longer than it was to.
      this.#open = { ...this.#open, until: now + this.#open.until - this.#trippedAt };
      this.#trippedAt = now;
    }
    if (now < this.#open.until) return this.#open.until - now;
    return this.#open.trials + this.#open.passed < this.options.halfOpenRequests ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Undefined where none may begin. Each call that begins must end. */
  begin(now: number): Call | undefined {
    if (this.delay(now) > 0) return undefined;
    if (this.#open) this.#open.trials++;
    return { round: this.#round, trial: this.#open !== undefined };
  }

  /** What came of a call; undefined where it was broken off, which says nothing. */
  end(call: Call, outcome: CallOutcome | undefined, now: number): void {
    // Of a call from before the latest change: it is known already.
    if (call.round !== this.#round) return;
    const open = this.#open;
    if (open) open.trials--;
    if (!outcome) {
      if (open) this.#changed();
      return;
    }
    if (!open) this.#count(outcome, now);
    const judged = open ? outcome : this.#total(now);
    this.#hung = outcome.hung ? this.#hung + 1 : outcome.failed < outcome.records ? 0 : this.#hung;
    if (outcome.broken || this.#hung >= hungCalls) this.#trip(outcome, 1, now);
    else if (this.#fails(judged)) this.#trip(outcome, judged.failed / judged.records, now);
    else if (open && ++open.passed >= this.options.halfOpenRequests) this.#close();
    else if (open) this.#changed();
  }

  /** Half open at once, where it is open: what it opened for may be mended. */
  tryNow(now: number): void {
    if (!this.#open || now >= this.#open.until) return;
    this.#open = { ...this.#open, until: now };
    this.#changed();
  }

  /** Calls `listener` after each change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #fails({ records, failed }: { readonly records: number; readonly failed: number }): boolean {
    return failed > 0 && failed * 100 >= records * this.options.failurePercent;
  }

  #count({ records, failed }: CallOutcome, now: number): void {
    const slot = Math.floor((now * slots) / this.options.windowMs);
    let last = this.#window.at(-1);
    if (last?.slot !== slot) {
      last = { slot, calls: 0, records: 0, failed: 0 };
      this.#window.push(last);
      this.#window = this.#window.filter((each) => each.slot > slot - slots && each.slot <= slot);
    }
    last.calls++;
    last.records += records;
    last.failed += failed;
  }

  /** Of the window; nothing where there were too few calls to judge by. */
  #total(now: number): { readonly records: number; readonly failed: number } {
    const oldest = Math.floor((now * slots) / this.options.windowMs) - slots;
    const total = { calls: 0, records: 0, failed: 0 };
    for (const { slot, calls, records, failed } of this.#window) {
      if (slot <= oldest) continue;
      total.calls += calls;
      total.records += records;
      total.failed += failed;
    }
    return total.calls < this.options.minimumCalls ? { records: 1, failed: 0 } : total;
  }

  #trip({ reason, retryAfterMs = 0 }: CallOutcome, failureRatio: number, now: number): void {
    const until = now + Math.max(this.options.openForMs, retryAfterMs);
    this.#open = { since: this.#open?.since ?? now, until, reason, failureRatio, trials: 0, passed: 0 };
    this.#trippedAt = now;
    this.#window = [];
    this.#hung = 0;
    this.#changed(1);
  }

  #close(): void {
    this.#open = undefined;
    this.#changed(1);
  }

  #changed(rounds = 0): void {
    this.#round += rounds;
    for (const listener of [...this.#listeners]) listener();
  }
}
