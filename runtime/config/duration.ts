const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `250ms`, `5s`, `10m`, `2h` or `30d`; undefined for any other text. Always a safe integer. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]{1,8})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * units[match[2]!]! : undefined;
}
