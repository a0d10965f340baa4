import type { ResolvedSource } from "../runtime/config/index.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";

/** What a cursor belongs to. */
export function sourceName({ connector, stream, mode, cursorField }: ResolvedSource): string {
  return JSON.stringify([connector, stream, mode, cursorField ?? null]);
}

/**
 * What ordinals of records count in. Where there are several sources, two of them may have a file or a table of one name.
 */
export function positionBase({ source, sources, position }: BatchHeader, base = position.base): string {
  if (sources === undefined) return base;
  const [connector, stream] = JSON.parse(source) as unknown[];
  return JSON.stringify([connector, stream, base]);
}

/** Whether the next run reads again what this batch holds. Windows hold records of all sources. */
export function isFullRead({ source, sources, origins, invoked }: BatchHeader): boolean {
  // Whoever sent them does not send them again.
  if (invoked) return false;
  const names = sources && origins?.includes(-1) ? Object.keys(sources) : [source];
  return names.every((name) => (JSON.parse(name) as unknown[])[2] === "full");
}
