import type { Cron } from "croner";

/** When an expression is due next, the soonest first, or what is wrong with it. */
export type Fires = { readonly at: readonly Date[] } | { readonly error: string };

/** Of a draft; what is saved says the same by the API. The library is loaded when it is first asked. */
export async function firesOf(expression: string, timezone: string, count = 5): Promise<Fires> {
  const { Cron } = await import("croner");
  return read(Cron, expression.trim(), timezone.trim() || "UTC", count);
}

function read(Parser: typeof Cron, expression: string, timezone: string, count: number): Fires {
  try {
    // Before the expression: whichever of them is wrong is named.
    new Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    return { error: `${timezone} is no time zone` };
  }
  try {
    const at = new Parser(expression, { timezone, mode: "5-or-6-parts", paused: true }).nextRuns(count);
    return at.length === 0 ? { error: "It never comes round" } : { at };
  } catch (error) {
    return { error: error instanceof Error ? error.message.replace(/^\w+: /, "") : String(error) };
  }
}
