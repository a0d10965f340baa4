import { isDeepStrictEqual } from "node:util";
import { isStated } from "../runtime/delivery/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { StaleOwnerError } from "../runtime/ports/log.ts";
import type { Health, IntegrationRow, Losses, OpenCircuits, RunError, Store } from "../runtime/ports/store.ts";
import { persist } from "./persist.ts";

export interface IntegrationHealthOptions {
  readonly store: Pick<Store["integrations"], "setHealth">;
  readonly clock: Clock;
  readonly integrationId: string;
  /** The integration's name. */
  readonly name: string;
  /** As the store has it. */
  readonly kept: Health;
  /** Of the integration, when that was read. */
  readonly version: number;
}

/** What the actors of an integration say of how it does. */
export type HealthReport = Pick<
  IntegrationHealth,
  "owned" | "idle" | "begun" | "waiting" | "imbalanced" | "lost" | "ended"
>;

/** A part that has run so long since it was started again is taken for well. */
const calmMs = 60_000;
/** More that nobody has seen are in the log alone. */
const lossesMax = 5;

/**
 * How an integration does, by what its parts say. Kept in the store whenever that changes, so that every node can tell,
 * and a node that starts anew knows what had stopped. Lives as long as the node owns the integration.
 */
export class IntegrationHealth {
  readonly #options: IntegrationHealthOptions;
  readonly #closed = new AbortController();
  /** Unknown before the logs are taken over. */
  #epoch = Number.MAX_SAFE_INTEGER;
  #stopped: string | null;
  #version: number;
  #waiting: string | null = null;
  #imbalance: string | null = null;
  #losses: Losses | null;
  /** Those of a former owner say nothing of this one's. */
  #circuits: OpenCircuits = {};
  #crash: { readonly part: string; readonly error: unknown; readonly times: number } | undefined;
  #cancelCalm = () => {};
  /** As the store has it, or is about to. */
  #kept: Health;
  #saving = false;

  constructor(options: IntegrationHealthOptions) {
    this.#options = options;
    this.#kept = options.kept;
    this.#stopped = options.kept.status === "stopped" ? options.kept.reason : null;
    this.#losses = options.kept.losses;
    this.#version = options.version;
  }

  get now(): Health {
    return { ...this.#status, circuits: this.#circuits, losses: this.#losses };
  }

  get #status(): Pick<Health, "status" | "reason"> {
    if (this.#stopped !== null) return { status: "stopped", reason: this.#stopped };
    if (this.#crash) {
      const { part, error, times } = this.#crash;
      const often = times === 1 ? "" : `, ${times} times`;
      return { status: "degraded", reason: `${part} was started again after a crash${often}: ${messageOf(error)}` };
    }
    if (this.#losses !== null) {
      const hint = `(once you have seen it: sluice doctor --seen ${this.#options.name})`;
      return { status: "degraded", reason: [...this.#losses.reasons, hint].join(" ") };
    }
    if (this.#imbalance !== null) return { status: "degraded", reason: this.#imbalance };
    return this.#waiting === null ? { status: "ok", reason: null } : { status: "waiting", reason: this.#waiting };
  }

  owned(epoch: number): void {
    this.#epoch = epoch;
  }

  /** There is no run. */
  idle(): void {
    this.#waiting = null;
    this.#calm();
  }

  /** A run begins, or goes on. */
  begun(): void {
    this.#stopped = null;
    this.waiting(null);
  }

  waiting(reason: string | null): void {
    this.#waiting = reason;
    this.#save();
  }

  circuits(open: OpenCircuits): void {
    this.#circuits = open;
    this.#save();
  }

  /** What the ledger says that does not balance (invariant 8); null: the latest run's does. */
  imbalanced(reason: string | null): void {
    this.#imbalance = reason;
    this.#save();
  }

  /** What logs or store have lost. Said until somebody has seen it, however many runs end well. */
  lost(reason: string): void {
    const { at, reasons } = this.#losses ?? { at: 0, reasons: [] };
    if (reasons.includes(reason)) return;
    const now = Math.max(this.#options.clock.now(), at + 1);
    this.#losses = { at: now, reasons: [reason, ...reasons].slice(0, lossesMax) };
    this.#save();
  }

  /** All that was lost until then has been seen. */
  seen(at: number | null): void {
    if (this.#losses === null || at === null || at < this.#losses.at) return;
    this.#losses = null;
    this.#save();
  }

  /** The integration as the store has it: a change takes back that it had stopped, unless it did so again since. */
  changed({ version, health }: Pick<IntegrationRow, "version" | "health">): void {
    if (version === this.#version) return;
    this.#version = version;
    if (health === "stopped") return;
    this.#stopped = null;
    this.#save();
  }

  /** A part crashed and is started again. What says itself what it is has ended a run, and no crash. */
  crashed(part: string, error: unknown): void {
    // One that is passed on up the tree is heard of more than once.
    if (isStated(error) || error instanceof StaleOwnerError || error === this.#crash?.error) return;
    this.#crash = { part, error, times: (this.#crash?.times ?? 0) + 1 };
    this.#cancelCalm();
    this.#cancelCalm = this.#options.clock.after(calmMs, () => this.#calm());
    this.#save();
  }

  /** A run has ended; `error`: it failed. */
  ended(error: RunError | null): void {
    const { name } = this.#options;
    this.#stopped =
      error && `the last run failed with ${error.code}: ${error.message} (run it again: sluice run ${name})`;
    this.idle();
  }

  close(): void {
    this.#cancelCalm();
    this.#closed.abort();
  }

  #calm(): void {
    this.#cancelCalm();
    this.#crash = undefined;
    this.#save();
  }

  /** One write at a time; what changes meanwhile is written next. */
  async #save(): Promise<void> {
    if (this.#saving) return;
    this.#saving = true;
    const { store, clock, integrationId } = this.#options;
    try {
      for (let health = this.now; !isDeepStrictEqual(health, this.#kept); health = this.now) {
        await persist(clock, this.#closed.signal, () => store.setHealth(integrationId, this.#epoch, health));
        this.#kept = health;
      }
    } catch {
      // Closed: whoever owns the integration next says how it does.
    } finally {
      this.#saving = false;
    }
  }
}
