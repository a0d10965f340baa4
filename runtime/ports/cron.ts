/** Cron expressions with time zones, daylight saving done right. */
export interface Cron {
  /** The first instant after `after` at which an expression fires, or null where it never does again. */
  next(expression: string, timezone: string, after: Date): Date | null;
}
