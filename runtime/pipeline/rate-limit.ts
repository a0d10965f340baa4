import type { Clock } from "../ports/clock.ts";
import { cut, type Flow } from "./flow.ts";
import type { StepOutput } from "./step.ts";

/** How often a second a step that is limited lets something pass. */
const passesPerSecond = 10;

/** Longer than any piece waits: a thousandth of a record a second is the least that can be asked for. */
const mostMs = 1_100_000;

/** Lets so many records a second leave a step, a tenth of a second's worth at a time, and keeps nothing for later. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #size: number;
  /** When the next record may leave. */
  #free = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#size = Math.max(1, Math.floor(perSecond / passesPerSecond));
  }

  /** Small enough to be let pass one by one. */
  *pieces(output: StepOutput, step: string): Iterable<StepOutput> {
    if (!(output instanceof Map)) yield* cut(output as Flow, this.#size, `${step}~`);
    else
      for (const [target, flow] of output)
        for (const piece of cut(flow, this.#size, `${step}~`)) yield new Map([[target, piece]]);
  }

  /** Resolves when the piece may leave. */
  async take(piece: StepOutput, signal: AbortSignal): Promise<void> {
    let records = 0;
    for (const { values } of piece instanceof Map ? piece.values() : [piece as Flow]) records += values.length;
    const now = this.#clock.now();
    // A clock that is set back must not hold up what never waited so long.
    if (this.#free > now + mostMs) this.#free = now;
    const at = Math.max(this.#free, now);
    this.#free = at + (records / this.#perSecond) * 1000;
    const ms = at - now;
    if (ms > 0) await this.#clock.sleep(ms, signal);
  }
}
