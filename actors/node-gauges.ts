import type { Clock } from "../runtime/ports/clock.ts";
import type { DeadLetterStore } from "../runtime/ports/store.ts";
import type { NodeGauges } from "../runtime/ports/telemetry.ts";
import type { NodeView } from "./node.ts";

/** The store counts dead letters by walking them: not at every scrape. */
const depthsMaxAgeMs = 10_000;
/** A scrape waits no longer for the store; the former answer stands. */
const waitMs = 250;

export interface NodeGaugesOptions {
  readonly view: NodeView;
  readonly store: Pick<DeadLetterStore, "depths">;
  /** By part, null where it is ready. */
  readonly readiness: () => Promise<Readonly<Record<string, string | null>>>;
  /** Of the disk of the data folder; null: it cannot be measured. */
  readonly space: { readonly freeBytes: number | null };
  readonly clock: Clock;
}

/** Reads the gauges of a node. Never rejects. */
export function gaugesReader({ view, store, readiness, space, clock }: NodeGaugesOptions): () => Promise<NodeGauges> {
  const depths = new Kept(depthsMaxAgeMs, () => store.depths(), clock);
  const parts = new Kept(0, readiness, clock);
  return async () => {
    await Promise.all([depths.fresh(), parts.fresh()]);
    const now = clock.now();
    const counts = depths.value;
    const health: Record<string, number> = { ok: 0, waiting: 0, degraded: 0, stopped: 0 };
    for (const one of view.health.values()) health[one.now.status] = (health[one.now.status] ?? 0) + 1;
    return {
      integrations: Array.from(view.vitals, ([id, one]) => one.gauges(now, counts ? (counts.get(id) ?? 0) : null)),
      names: view.names,
      health,
      ready: Object.fromEntries(Object.entries(parts.value ?? {}).map(([part, reason]) => [part, reason === null])),
      diskFreeBytes: space.freeBytes,
    };
  };
}

/** What was answered last, asked for again where it is older than it may be. */
class Kept<T> {
  readonly #maxAgeMs: number;
  readonly #ask: () => Promise<T>;
  readonly #clock: Clock;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  value: T | undefined;

  constructor(maxAgeMs: number, ask: () => Promise<T>, clock: Clock) {
    this.#maxAgeMs = maxAgeMs;
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Waits a moment for it, not longer. */
  async fresh(): Promise<void> {
    if (this.#clock.now() - this.#askedAt >= this.#maxAgeMs) this.#asking ??= this.#again();
    if (this.#asking) await Promise.race([this.#asking, this.#clock.sleep(waitMs)]);
  }

  async #again(): Promise<void> {
    this.#askedAt = this.#clock.now();
    try {
      this.value = await this.#ask();
    } catch {
      // Whoever does not answer is told of by readiness.
    } finally {
      this.#asking = undefined;
    }
  }
}
