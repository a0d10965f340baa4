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
  /** Takes secrets out of a text; each line passes it, whoever wrote it (invariant 7). */
  readonly redact?: ((text: string) => string) | undefined;
}

export interface StartedLogger {
  readonly logger: Logger & LoggerPort;
  close(): void;
}

/** Throws where the level is none of pino's. */
export function startLogger({ file, level, also, redact = (text) => text }: LoggerOptions): StartedLogger {
  const lines = new BoundedFile(file, maxBytes);
  const write = (line: string) => {
    const clean = redactLine(line, redact);
    lines.write(clean);
    also?.(clean);
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

/** Still JSON: a secret of digits may stand where a number does. */
function redactLine(line: string, redact: (text: string) => string): string {
  if (redact(line) === line) return line;
  const clean = (_: string, value: unknown): unknown => {
    if (typeof value === "number") return redact(String(value)) === String(value) ? value : redact(String(value));
    return typeof value === "string" ? redact(value) : value;
  };
  return `${JSON.stringify(JSON.parse(line), clean)}\n`;
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
