import { type ResolvedIntegration, resolveIntegration } from "../runtime/config/index.ts";
import { type ConsumerFigures, circuitStates, type GraphFigures, graphOf } from "../runtime/live/index.ts";
import type { CircuitState, LiveDetail, LiveFigures, LiveIntegration, LiveSampled } from "../runtime/ports/live.ts";
import type { IntegrationHealth } from "./health.ts";
import { LatencyWindow } from "./latency-window.ts";
import { type ConsumerVitals, type Vitals, window } from "./vitals.ts";

/** A pull asks for at least so many batches: with less credit than that nothing is taken. */
const leastPull = 4;
/** Seconds that are looked at, and in how many of them there was no credit where it is called blocked. */
const looked = 5;
const blockedIn = 3;

/** What of an integration is looked at once a second and told from then on. */
export class LiveView {
  readonly #id: string;
  readonly #vitals: Vitals;
  /** By consumer, in which of the last seconds it had no credit, and its log no room. */
  readonly #spent = new Map<string | undefined, boolean[]>();
  readonly #full = new Map<string | undefined, boolean[]>();
  #resolved: { readonly version: number; readonly integration: ResolvedIntegration } | undefined;

  constructor(id: string, vitals: Vitals) {
    this.#id = id;
    this.#vitals = vitals;
  }

  isOf(vitals: Vitals): boolean {
    return this.#vitals === vitals;
  }

  /** Called once a second. */
  sample(): void {
    const { flow, consumers, run } = this.#vitals;
    flow.sample();
    const note = (of: Map<string | undefined, boolean[]>, name: string | undefined, is: boolean) =>
      of.set(name, [...(of.get(name) ?? []), is].slice(-looked));
    for (const [name, { credit, lag, backlog }] of consumers) {
      note(this.#spent, name, run !== undefined && credit < leastPull && lag() > 0);
      note(this.#full, name, backlog?.isFull ?? false);
    }
  }

  /** Null before the store was read. */
  integration(health: IntegrationHealth | undefined, now: number): LiveIntegration | null {
    const { row, name } = this.#vitals;
    if (row === undefined || health === undefined) return null;
    const { status, reason } = health.now;
    const { enabled, version } = row;
    const live = this.#figures(now);
    return { id: this.#id, name, enabled, version, health: status, health_reason: reason, live };
  }

  sampled(health: IntegrationHealth | undefined, now: number): LiveSampled | null {
    const integration = this.integration(health, now);
    return integration && { ...integration, samples: this.#vitals.flow.samples };
  }

  detail(health: IntegrationHealth | undefined, now: number): LiveDetail | null {
    const sampled = this.sampled(health, now);
    if (sampled === null) return null;
    const run = this.#vitals.run?.();
    const shown = run?.integration ?? this.#integration;
    const logged = run?.logged ?? shown.destinations.length > 1;
    return { ...sampled, graph: graphOf(shown, this.#graphFigures(sampled.live, logged, now), logged) };
  }

  #figures(now: number): LiveFigures {
    const { flow, consumers, run, lag, shownCircuits, deadLetters } = this.#vitals;
    const rates = flow.rates();
    const fresh = Array.from(consumers, ([destination, { freshAt }]) => (destination === undefined ? null : freshAt));
    const oldest = Math.min(...fresh.filter((at) => at !== null));
    const row = run?.().row;
    return {
      at: new Date(now).toISOString(),
      records_in_per_second: rates.in,
      records_out_per_second: rates.out,
      records_failed_per_second: rates.failed,
      lag,
      error_ratio: flow.errorRatio,
      dead_letters: deadLetters,
      freshness_seconds: Number.isFinite(oldest) ? Math.max(0, now - oldest) / 1000 : null,
      latency: LatencyWindow.of(
        Array.from(consumers.values(), ({ latency }) => latency),
        now,
      ),
      circuits: circuitStates(this.#integration, shownCircuits, now),
      run_id: row?.id ?? null,
      waiting: row?.waiting ?? null,
    };
  }

  #graphFigures({ circuits, waiting }: LiveFigures, logged: boolean, now: number): GraphFigures {
    const { flow, consumers } = this.#vitals;
    const { of: rate } = flow.rates();
    const vitalsOf = (name: string | undefined) => consumers.get(name) ?? this.#vitals.consumer(name);
    const standsAt = (destination: string) => isWriterFull(vitalsOf(destination));
    return {
      rate,
      circuits,
      waiting,
      consumer: (name) => {
        const vitals = vitalsOf(name);
        const held = isMostly(this.#spent, name) || isHeld(name === undefined ? undefined : circuits[name], vitals);
        // Without a log of its own it is the destination that holds up the steps, where the batches stand there.
        const blocked = held && (logged || name === undefined || !standsAt(name));
        return { ...consumerFigures(vitals), full: isMostly(this.#full, name), blocked };
      },
      writer: (name) => {
        const vitals = vitalsOf(name);
        const held = isHeld(circuits[name], vitals) || (isMostly(this.#spent, name) && standsAt(name));
        return { records: vitals.writing.records, blocked: held, latency: vitals.latency.at(now) };
      },
    };
  }

  /** Of the version that the store has. */
  get #integration(): ResolvedIntegration {
    const { version, spec } = this.#vitals.row!;
    if (this.#resolved?.version !== version) this.#resolved = { version, integration: resolveIntegration(spec) };
    return this.#resolved.integration;
  }
}

function isMostly(seconds: ReadonlyMap<string | undefined, readonly boolean[]>, name: string | undefined): boolean {
  return (seconds.get(name) ?? []).filter(Boolean).length >= blockedIn;
}

function isHeld(circuit: CircuitState | undefined, { waiting, lag, writing }: ConsumerVitals): boolean {
  if (waiting) return true;
  return circuit !== undefined && circuit.state !== "closed" && (lag() > 0 || writing.records > 0);
}

/** Most of what is in hand waits for the destination's confirmation. */
function isWriterFull({ credit, writing, waiting }: ConsumerVitals): boolean {
  return waiting || writing.batches * 2 >= window.messages - credit;
}

function consumerFigures({ credit, lag, backlog }: ConsumerVitals): Omit<ConsumerFigures, "blocked" | "full"> {
  const room = backlog && {
    available: Math.max(0, backlog.limitBytes - backlog.pendingBytes),
    limit: Math.round(backlog.limitBytes),
    unit: "bytes" as const,
  };
  return {
    credit: { available: credit, limit: window.messages, unit: "batches" },
    queue: { records: Math.max(0, lag()), bytes: backlog?.pendingBytes ?? null },
    room: room ? { ...room, available: Math.round(room.available) } : null,
  };
}
