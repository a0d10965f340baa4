const counts = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const percents = new Intl.NumberFormat("en", { style: "percent", maximumSignificantDigits: 2 });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** `1,234,567`. */
export const count = (value: number): string => counts.format(value);

/** `1 dead letter`, `2 dead letters`. */
export const countOf = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? "" : "s"}`;

/** `1.23M`; whole below ten thousand. */
export const shortCount = (value: number): string => (Math.abs(value) < 10_000 ? counts : compact).format(value);

/** A number of something a second, of any size. */
export function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 10) return small.format(value);
  return value < 10_000 ? counts.format(value) : compact.format(value);
}

/** Of 0 to 1: `0.13%`. What is more than nothing is never shown as 0%. */
export const percent = (value: number): string => (value > 0 && value < 0.0001 ? "<0.01%" : percents.format(value));

/** Of milliseconds: `340 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, "") : Math.floor(seconds)} s`;
  const steps = [
    [86_400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ] as const;
  const [large, largeName, less, lessName] = steps.find(([size]) => seconds >= size) as (typeof steps)[number];
  const whole = Math.floor(seconds / large);
  const rest = Math.floor((seconds - whole * large) / less);
  return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${lessName}`;
}

/** `5 s ago`, `in 3 min`, in one unit. */
export function relative(at: number, now: number): string {
  const seconds = Math.round(Math.abs(at - now) / 1000);
  if (seconds < 2) return "now";
  const [size, name] = (
    [
      [86_400, "d"],
      [3600, "h"],
      [60, "min"],
      [1, "s"],
    ] as const
  ).find(([size]) => seconds >= size) as [number, string];
  const text = `${Math.floor(seconds / size)} ${name}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

/** In the browser's language and time zone. */
export const moment = (iso: string): string => moments.format(new Date(iso));

/** `4.2 MB`. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const shown = value / 1000 ** power;
  return `${power === 0 || shown >= 100 ? Math.round(shown) : shown.toFixed(1)} ${units[power]}`;
}
