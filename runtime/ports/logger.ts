export type LogFields = Readonly<Record<string, unknown>>;

/**
 * The node's own log: what happened to integrations, runs and servers, with ids and names. Never a record's content, and
 * never a text that may quote one. An error is the field `err`, whose message the logger shows only where it is safe.
 */
export interface Logger {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** For tests and tools that want no log. */
export const noLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
