import { Cron } from "croner";
import { messageOf } from "../../runtime/errors/index.ts";
import { WallClock } from "./wall-clock.ts";

/** Five fields, or six with the second in front, or a nickname such as @hourly. */
const parse = (expression: string, timezone: string): Cron =>
  new Cron(expression, { timezone, mode: "5-or-6-parts", paused: true });

/** What is wrong with a cron expression, in one sentence, or undefined. */
export function checkCron(expression: string): string | undefined {
  try {
    if (parse(expression, "UTC").nextRun() !== null) return undefined;
    return `${JSON.stringify(expression)} never comes round`;
  } catch (error) {
    return `${JSON.stringify(expression)} is no cron expression: ${messageOf(error).replace(/^\w+: /, "")}`;
  }
}

/** By zone: making one takes longer than asking it. */
const clocks = new Map<string, WallClock>();

function clockOf(timezone: string): WallClock {
  let clock = clocks.get(timezone);
  if (clock === undefined) {
    clock = new WallClock(timezone);
    clocks.set(timezone, clock);
  }
  return clock;
}

/**
 * The first instant after another that an expression means in a time zone, or null where there is none.
 *
 * An expression that names hours means each of its times of day once: one that the clocks skip is due when they are set
 * forward, one that they show twice is due the first time. One for every hour, or every nth, goes by the clocks as they
 * are: in an hour that comes twice it is due twice, in one that is skipped not at all.
 */
export function nextFire(expression: string, timezone: string, after: Date): Date | null {
  if (!namesHours(expression)) return parse(expression, timezone).nextRun(after);
  const clock = clockOf(timezone);
  // The times of day in a zone whose clocks are never set.
  const times = parse(expression, "UTC");
  let wall = times.nextRun(new Date(clock.latestBy(after.getTime())));
  for (; wall !== null; wall = times.nextRun(wall)) {
    const instant = clock.firstOf(wall.getTime());
    if (instant > after.getTime()) return new Date(instant);
  }
  return null;
}

function namesHours(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields.length === 1) return fields[0]?.toLowerCase() !== "@hourly";
  return !/^[*?]/.test(fields.at(-4) as string);
}
