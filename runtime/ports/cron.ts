/** Cron expressions with time zones, daylight saving done right. */
export interface Cron {
  /** What is wrong with an expression, or undefined. */
  check(expression: string): string | undefined;
  /** The first instant after `after` at which it fires, or null where it never does again. */
  next(expression: string, timezone: string, after: Date): Date | null;
}
