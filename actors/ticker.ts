import { randomUUID } from "node:crypto";
import type { Clock } from "../runtime/ports/clock.ts";
import type { BatchHeader, Log } from "../runtime/ports/log.ts";
import type { RunKey } from "./dead-letter.ts";
import { sourceSubject } from "./intake.ts";

export const tickSubject = "t";

/**
 * Appends to the ingest log that time has passed when a window is due: its closing is processed, settled and, after a
 * crash, done again as any batch is.
 */
export class Ticker {
  readonly #run: RunKey;
  readonly #source: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #due: number | undefined;
  #cancel: (() => void) | undefined;
  /** One is in the log: while the steps are behind, another would say nothing new. */
  #ticked = false;

  /** `source`: of what the windows hold, the one that is not read in full where there is one (see isFullRead). */
  constructor(run: RunKey, source: string, log: Log, clock: Clock, signal: AbortSignal) {
    this.#run = run;
    this.#source = source;
    this.#log = log;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** `at` in ms; undefined: no window is open. */
  due(at: number | undefined): void {
    if (at === this.#due) return;
    this.#cancel?.();
    this.#due = at;
    if (at === undefined || this.#ticked) return;
    this.#cancel = this.#clock.after(Math.max(0, at - this.#clock.now()), () => void this.#tick(at));
  }

  /** A tick was processed. */
  passed(): void {
    this.#ticked = false;
    this.#due = undefined;
  }

  close(): void {
    this.#cancel?.();
  }

  async #tick(at: number): Promise<void> {
    this.#ticked = true;
    // The run's end closes every window. A tick behind it would come before it after a crash, and close them once more.
    const last = await this.#log.last(sourceSubject).catch(() => null);
    if (last?.runId === this.#run.id && last.kind === "end") return;
    const header: BatchHeader = {
      kind: "tick",
      runId: this.#run.id,
      integrationVersion: this.#run.integrationVersion,
      stream: "",
      source: this.#source,
      count: 0,
      cursor: null,
      position: { base: "", offset: 0 },
      // A timer may be early by its clock's grain.
      ingestedAt: Math.max(at, this.#clock.now()),
      totals: { batches: 0, records: 0 },
    };
    const id = randomUUID();
    // Whoever owns the log next has a ticker of its own.
    await this.#log.append(tickSubject, { header, body: new Uint8Array() }, { id }, this.#signal).catch(() => {});
  }
}
