/** One JSON line on stdout; times in seconds, three digits behind the point. */
export function report(line: {
  readonly scenario: string;
  readonly name: string;
  readonly [field: string]: unknown;
}): void {
  const digits = (_name: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 1000) / 1000 : value;
  process.stdout.write(`${JSON.stringify(line, digits)}\n`);
}

/** The one in the middle by `by`; of an even number, the lower one. */
export function median<T>(items: readonly T[], by: (item: T) => number): T {
  const sorted = items.toSorted((a, b) => by(a) - by(b));
  const middle = sorted[(sorted.length - 1) >> 1];
  if (middle === undefined) throw new RangeError("there is no median of nothing");
  return middle;
}

/** `share` from 0 to 1; the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
