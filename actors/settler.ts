import type { Clock } from "../runtime/ports/clock.ts";
import { type Logger, noLogger } from "../runtime/ports/logger.ts";
import { type CheckpointStore, refusal, UnwritableError } from "../runtime/ports/store.ts";
import type { RunLedger } from "./ledger.ts";

/** Between two commits of a node: what a crash may deliver twice where a destination cannot undo. */
const intervalMs = 100;
const retryMs = 500;
/** How often it is looked whether the process stood still, and for how long: less than until others take it for dead. */
const beatMs = 500;
const stillMs = 2_000;

/**
 * Commits the ledgers of all runs on this node, a few times a second in one transaction, however many integrations there
 * are. While the store is away nothing is acknowledged: the logs hold, and the runs say why.
 */
export class Settler {
  readonly #store: Pick<CheckpointStore, "commit">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ledgers = new Map<RunLedger, (error: unknown) => void>();
  readonly #dirty = new Set<RunLedger>();
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #seenAt = Number.POSITIVE_INFINITY;
  #wokeAt = Number.NEGATIVE_INFINITY;
  #stopBeat: () => void = () => {};
  #reason: string | null = null;
  #loop: Promise<void> | undefined;

  constructor(store: Pick<CheckpointStore, "commit">, clock: Clock, logger: Logger = noLogger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Why commits fail at the moment, or null. */
  get reason(): string | null {
    return this.#reason;
  }

  start(): void {
    this.#loop ??= this.#run();
    this.#beat();
  }

  /** When this process last went on after it had stood still (SIGSTOP, a machine that slept); before all times: never. */
  wokeAt(now: number): number {
    if (now - this.#seenAt > stillMs) this.#wokeAt = now;
    this.#seenAt = now;
    return this.#wokeAt;
  }

  /** Commits what there is and stops. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#stopBeat();
    this.#wake?.();
    await this.#loop;
    if (this.#dirty.size > 0) await this.#commit().catch(() => {});
    for (const ledger of this.#ledgers.keys()) ledger.close(new Error("the node stops"));
  }

  /** `stale` is called when nothing is committed any more: a later owner has (invariant 5), or the store refuses it. */
  add(ledger: RunLedger, stale: (error: unknown) => void): void {
    this.#ledgers.set(ledger, stale);
    ledger.onDirty(() => {
      this.#dirty.add(ledger);
      this.#wake?.();
    });
  }

  remove(ledger: RunLedger): void {
    this.#ledgers.delete(ledger);
    this.#dirty.delete(ledger);
    ledger.onDirty(() => {});
    ledger.close(new Error("the run was stopped"));
  }

  #beat(): void {
    if (this.#stop.signal.aborted) return;
    this.wokeAt(this.#clock.now());
    this.#stopBeat = this.#clock.after(beatMs, () => this.#beat());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (this.#dirty.size === 0) {
        // What could not be committed was given up: nothing waits for the store.
        this.#reason = null;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      // Not in the middle of a turn: messages that were written by one write are settled one after another in it, and with
      // the first the destination's state is after them all. A commit holds all of them or none (`failing` of a parcel).
      await this.#clock.sleep(0);
      try {
        await this.#commit();
        if (this.#reason !== null) this.#logger.info({}, "the store is back");
        this.#reason = null;
        await this.#clock.sleep(intervalMs, signal).catch(() => {});
      } catch (error) {
        if (this.#reason === null) this.#logger.warn({ err: error }, "nothing is settled while the store is away");
        this.#reason = "the store is away";
        await this.#clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }

  async #commit(): Promise<void> {
    const ledgers = [...this.#dirty];
    this.#dirty.clear();
    const snapshots = ledgers.map((ledger) => ledger.snapshot());
    const begun = this.#clock.now();
    try {
      const committed = await this.#store.commit(snapshots.map(({ settlement }) => settlement));
      for (const [i, ledger] of ledgers.entries()) {
        const error = refusal(committed, ledger.integrationId);
        if (error) {
          // What it quotes is with the run alone.
          if (error instanceof UnwritableError)
            this.#logger.error({ run: ledger.runId }, "a run cannot be settled: it fails");
          ledger.close(error);
          this.#ledgers.get(ledger)?.(error);
        } else ledger.committed(snapshots[i]!, begun);
      }
    } catch (error) {
      for (const ledger of ledgers) if (this.#ledgers.has(ledger)) this.#dirty.add(ledger);
      throw error;
    }
  }
}
