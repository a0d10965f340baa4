const hour = 3_600_000;
const day = 24 * hour;
const second = 1_000;
/** Clocks are set by less at a time. */
const mostSetMs = 3 * hour;

/**
 * What a zone's clocks show, as the instant at which UTC's show the same: its wall time. Zones change their clocks at
 * full minutes.
 */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;

  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  at(instant: number): number {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format.formatToParts(instant)) parts[type] = Number(value);
    const { year = 0, month = 1 } = parts;
    return Date.UTC(year, month - 1, parts.day, parts.hour, parts.minute, parts.second);
  }

  /** The first instant at which the clocks show `wall`; where they skip it, the one at which they were changed. */
  firstOf(wall: number): number {
    const [before, after] = [this.#offset(wall - day), this.#offset(wall + day)];
    // Of a time that comes twice, the one by the clocks before they are set back.
    for (const instant of [wall - before, wall - after]) if (this.at(instant) === wall) return instant;
    return firstWhere(wall - after, wall - before, (instant) => this.at(instant) >= wall);
  }

  /** The latest wall time that was shown up to an instant: not that instant's, where the clocks were set back before it. */
  latestBy(instant: number): number {
    const before = this.#offset(instant - mostSetMs);
    if (before <= this.#offset(instant)) return this.at(instant);
    const set = firstWhere(instant - mostSetMs, instant, (at) => this.#offset(at) < before);
    return Math.max(this.at(instant), set + before - second);
  }

  #offset(instant: number): number {
    return this.at(instant) - instant;
  }
}

/** The first second after `low` at which something holds that holds at `high` and from some instant on. */
function firstWhere(low: number, high: number, holds: (instant: number) => boolean): number {
  let [before, at] = [Math.floor(low / second) * second, Math.ceil(high / second) * second];
  while (at - before > second) {
    const middle = Math.floor((before + at) / 2 / second) * second;
    if (holds(middle)) at = middle;
    else before = middle;
  }
  return at;
}
