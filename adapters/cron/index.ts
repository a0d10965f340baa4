import { Cron as Croner } from "croner";
import { messageOf } from "../../runtime/errors/index.ts";
import type { Cron } from "../../runtime/ports/cron.ts";

/** Cron by croner: five fields, six with seconds; a time that daylight saving skips fires once, an hour twice fires once. */
export const cron: Cron = {
  check(expression) {
    try {
      new Croner(expression, { paused: true });
      return undefined;
    } catch (error) {
      return messageOf(error).replace(/^\w+: /, "");
    }
  },
  next: (expression, timezone, after) => new Croner(expression, { paused: true, timezone }).nextRun(after),
};
