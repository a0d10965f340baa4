import { backoffMs } from "../runtime/actor/index.ts";
import { type EndlessTrigger, isEndless, resolveIntegration } from "../runtime/config/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { IntegrationRow, RunError } from "../runtime/ports/store.ts";
import { KeptReadings } from "./reading.ts";

/** By what an integration with trigger `event` or `webhook` is read. */
export interface Basis {
  readonly integrationVersion: number;
  readonly trigger: EndlessTrigger;
  /** Differs where the integration or one of its connectors has changed. */
  readonly mark: string;
}

/** An hour: the history of what is read all the time stays readable. */
export const eventRunMs = 60 * 60 * 1000;

/** Between a run that failed and the next one; the waits begin anew behind one that lasted for longer than the longest. */
const retry = { initialMs: 1_000, maxMs: 10 * 60 * 1000, multiplier: 2, jitter: 0.2 };

/**
 * The runs of an integration with trigger `event` or `webhook`: when the next one begins, and what stays open in between. A run that
 * fails is followed by another, save where the configuration is wrong, or a record stopped it: then when that changed.
 */
export class EndlessRuns {
  readonly kept = new KeptReadings();
  /** Null: nothing is read, since the integration is disabled or has another trigger. */
  #basis: Basis | null = null;
  /** Of the run that began last; undefined where another node began it. */
  #begun: Basis | undefined;
  /** The mark of the basis by which a run failed for good. */
  #refused: string | undefined;
  #begunAt = 0;
  #failures = 0;
  #notBefore = 0;
  #reason: string | null = null;

  get basis(): Basis | null {
    return this.#basis;
  }

  /** Why the next run is not opened yet. */
  get reason(): string | null {
    return this.#reason;
  }

  /** How long the next run waits, in milliseconds; undefined: none is to be opened. */
  pauseMs(clock: Clock): number | undefined {
    if (this.#basis === null || this.#basis.mark === this.#refused) return undefined;
    return Math.max(0, this.#notBefore - clock.now());
  }

  /** True where a run of this version is to end, since it is of another basis, or nothing is to be read any more. */
  change(basis: Basis | null, version: number | undefined): boolean {
    // Whoever changes something wants it tried.
    if (basis?.mark !== this.#basis?.mark) this.#tryAtOnce();
    this.#basis = basis;
    if (basis && basis.integrationVersion === version) this.#begun ??= basis;
    return basis === null || basis.mark !== this.#begun?.mark;
  }

  /** A run begins, or goes on. What is open was opened by the former basis. */
  async begun(clock: Clock): Promise<void> {
    if (this.#begun?.mark !== this.#basis?.mark) await this.kept.close(clock);
    this.#begun = this.#basis ?? undefined;
    this.#begunAt = clock.now();
    this.#reason = null;
  }

  /** False where a run failed for good. */
  ended(error: RunError | null, clock: Clock): boolean {
    const isFinal = error?.code === "VALIDATION_ERROR" || error?.code === "BUSINESS_RULE";
    if (error !== null || this.#basis === null) void this.kept.close(clock);
    this.#refused = isFinal ? this.#begun?.mark : undefined;
    if (error === null || clock.now() - this.#begunAt >= retry.maxMs) this.#tryAtOnce();
    if (error === null || isFinal) return !isFinal;
    // What failed is not what runs next.
    if (this.#begun?.mark !== this.#basis?.mark) return true;
    this.#failures++;
    const pauseMs = backoffMs(retry, this.#failures, clock.random);
    this.#notBefore = clock.now() + pauseMs;
    const seconds = Math.ceil(pauseMs / 1000);
    this.#reason = `the last run failed with ${error.code}: ${error.message}; the next begins in ${seconds} s`;
    return true;
  }

  #tryAtOnce(): void {
    this.#failures = 0;
    this.#notBefore = 0;
    this.#reason = null;
  }
}

/** `connectors`: what they are made of, by name. */
export function basisOf(
  { spec, version, enabled }: Pick<IntegrationRow, "spec" | "version" | "enabled">,
  connectors: ReadonlyMap<string, string>,
): Basis | null {
  const { trigger, sources, destinations, steps } = resolveIntegration(spec);
  if (!enabled || !isEndless(trigger.type)) return null;
  const asked = steps.flatMap((step) => (step.type === "enrich" ? [step.connector] : []));
  const names = new Set([...[...sources, ...destinations].map(({ connector }) => connector), ...asked]);
  const versions = Array.from(names, (name) => connectors.get(name) ?? "");
  return { integrationVersion: version, trigger: trigger.type, mark: JSON.stringify([version, versions]) };
}
