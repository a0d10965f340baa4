import { type Logger, pino } from "pino";
import { failureOf, isStated } from "../../runtime/delivery/index.ts";
import type { Logger as LoggerPort } from "../../runtime/ports/logger.ts";
import { BoundedFile } from "./bounded-file.ts";

const maxBytes = 10 * 1024 * 1024;

export interface LoggerOptions {
  /** JSON lines are written here, the file and the one before it 10 MiB at most. */
  readonly file: string;
  readonly level: string;
  /** Takes each line too. */
  readonly also?: ((line: string) => void) | undefined;
}

export interface StartedLogger {
  readonly logger: Logger & LoggerPort;
  close(): void;
}

/** Throws where the level is none of pino's. */
export function startLogger({ file, level, also }: LoggerOptions): StartedLogger {
  const lines = new BoundedFile(file, maxBytes);
  const write = (line: string) => {
    lines.write(line);
    also?.(line);
  };
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: errorFields },
  };
  return { logger: pino(options, { write }), close: () => lines.close() };
}

/**
 * What a log shows of an error. Its message only where it is the product's or a connector's own, or the system's: a
 * library's may quote the data that it choked on (invariant 7). Where it came from says the stack.
 */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const shown = isStated(error) || "syscall" in error;
  const { code } = failureOf(error);
  const frames = error.stack?.match(/^ {4}at .*$/gm)?.map((line) => line.trim());
  return {
    type: error.name,
    code: shown || !("code" in error) ? code : error.code,
    ...(shown && { message: error.message }),
    stack: frames?.join("\n"),
  };
}
