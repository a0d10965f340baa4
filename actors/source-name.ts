import type { ResolvedSource } from "../runtime/config/index.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";

/** What a cursor belongs to. */
export function sourceName({ connector, stream, mode, cursorField }: ResolvedSource): string {
  return JSON.stringify([connector, stream, mode, cursorField ?? null]);
}

/** Whether the next run reads again what this batch holds. */
export function isFullRead({ source }: Pick<BatchHeader, "source">): boolean {
  return (JSON.parse(source) as unknown[])[2] === "full";
}
