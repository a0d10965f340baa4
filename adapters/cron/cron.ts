import { Cron } from "croner";
import { messageOf } from "../../runtime/errors/index.ts";

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

/** The first time after an instant that an expression means in a time zone, or null where there is none. */
export function nextFire(expression: string, timezone: string, after: Date): Date | null {
  return parse(expression, timezone).nextRun(after);
}
