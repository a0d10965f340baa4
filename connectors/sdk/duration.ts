const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** JSON Schema pattern of a duration: an integer and one unit. */
export const durationPattern = "^(0|[1-9][0-9]*)(ms|s|m|h|d)$";
const duration = new RegExp(durationPattern);

/** Milliseconds of `250ms`, `5s`, `10m`, `2h` or `30d`. Throws a RangeError for anything else. */
export function parseDuration(text: string): number {
  const found = duration.exec(text);
  const ms = found ? Number(found[1]) * unitMs[found[2] as keyof typeof unitMs] : Number.NaN;
  if (!Number.isSafeInteger(ms)) throw new RangeError(`"${text}" is no duration such as 250ms, 5s, 10m, 2h or 30d`);
  return ms;
}
