import { hash } from "node:crypto";
import { ConnectorError, type Json, parseDuration } from "../sdk/index.ts";
import type { IncrementalConfig } from "./config.ts";
import { compare, plain, timeOf } from "./order.ts";

/** What a run leaves for the next one. */
export interface Progress {
  /** The highest value of the cursor field, or null before there was one. */
  readonly max: Json;
  /** Hashes of the records that lie so close to it that they are read again. */
  readonly known: readonly string[];
}

/** How many of the records that are read again are known as delivered; what is more comes twice. */
const mostKnown = 1_000;

/**
 * Mode incremental: the highest value that was read goes, with some lookback, into the next run's requests. The runs
 * overlap, whether the server takes the value itself along or not, so that nothing at the boundary is missed, and what
 * was delivered from there is known by its text and left out.
 */
export class Incremental {
  /** What is asked for: null for everything. The same for all requests of a run, and for those after a restart. */
  readonly since: Json;
  readonly #config: IncrementalConfig;
  readonly #lookbackMs: number;
  readonly #before: Progress;
  readonly #known: ReadonlySet<string>;
  /**
   * The run's beginning. A later value does not count as one: what is changed while the run lasts, in pages that were
   * read before, would be passed by, and all until then by one record from the future.
   */
  #startedAt: number;
  #isNew: boolean;
  #max: Json;
  #recent = new Map<string, Json>();

  /** `since` and `startedAt`: of a run that goes on after a restart. */
  constructor(
    config: IncrementalConfig,
    before: Progress,
    since: Json | undefined,
    max: Json,
    startedAt: number | undefined,
  ) {
    this.#config = config;
    this.#lookbackMs = parseDuration(config.lookback ?? "1m");
    this.#before = before;
    this.#known = new Set(before.known);
    this.#isNew = startedAt === undefined;
    this.#startedAt = startedAt ?? Date.now();
    this.#max = max;
    this.since = since === undefined ? this.#sinceOf(before.max) : since;
  }

  get startedAt(): number {
    return this.#startedAt;
  }

  /** What the server took for the time at a run's first answer, NaN where it does not say: its clock may be behind. */
  clock(now: number): void {
    if (this.#isNew && now < this.#startedAt) this.#startedAt = now;
    this.#isNew = false;
  }

  get max(): Json {
    return this.#max;
  }

  /** Whether a record was delivered by the run before; takes note of its value. `lowest`: what lies below is left out. */
  isKnown(text: string, value: Json | undefined, leavesOutOld: boolean): boolean {
    if (value === undefined || value === null || typeof value === "boolean") return false;
    if (leavesOutOld && this.since !== null && this.#isBelowSince(value)) return true;
    const capped = this.#capped(value);
    const isHigher = this.#max === null || compare(capped, this.#max) > 0;
    if (isHigher) this.#max = capped;
    const { max } = this.#before;
    const isOld = capped !== value || (max !== null && compare(capped, max) <= 0);
    const mayBeKnown = this.#known.size > 0 && isOld;
    const isRecent = isHigher || compare(capped, this.#lowest(this.#max)) >= 0;
    if (!mayBeKnown && !isRecent) return false;
    const id = hash("sha1", text, "base64").slice(0, 11);
    if (isRecent) this.#remember(id, capped);
    return mayBeKnown && this.#known.has(id);
  }

  /** For the next run. */
  progress(): Progress {
    this.#forget();
    const { max, known } = this.#before;
    const hasMoved = this.#max !== null && (max === null || compare(this.#max, max) !== 0);
    const recent = [...this.#recent.keys()];
    return { max: this.#max, known: [...new Set(hasMoved ? recent : [...recent, ...known])].slice(0, mostKnown) };
  }

  #remember(id: string, value: Json): void {
    this.#recent.set(id, value);
    if (this.#recent.size > 4 * mostKnown) this.#forget();
  }

  /** What the next run will not read again, and, of too many, the lowest. */
  #forget(): void {
    if (this.#max === null) return;
    const lowest = this.#lowest(this.#max);
    let left = [...this.#recent].filter(([, value]) => compare(value, lowest) >= 0);
    if (left.length > mostKnown) left = left.sort(([, a], [, b]) => compare(b, a)).slice(0, mostKnown);
    this.#recent = new Map(left);
  }

  #isBelowSince(value: Json): boolean {
    const { max } = this.#before;
    return compare(value, max === null ? (this.#config.start ?? value) : this.#lowest(max)) < 0;
  }

  /** A value so far below as is looked back, in the same form; itself where it is no time. */
  #lowest(value: Json): Json {
    const ms = this.#msOf(value);
    if (ms === undefined || this.#lookbackMs === 0) return value;
    return this.#written(ms - this.#lookbackMs, value);
  }

  #sinceOf(max: Json): Json {
    const { start = null } = this.#config;
    if (max === null) return start;
    const ms = this.#msOf(max);
    if (ms === undefined) return max;
    const { format = "as_is" } = this.#config;
    const isUntouched = format === "as_is" && this.#lookbackMs === 0;
    return isUntouched ? max : inFormat(ms - this.#lookbackMs, format, max);
  }

  #capped(value: Json): Json {
    const ms = this.#msOf(value);
    return ms === undefined || ms <= this.#startedAt ? value : this.#written(this.#startedAt, value);
  }

  /** A time in the form that the records have it in. */
  #written(ms: number, like: Json): Json {
    if (typeof like === "string" && timeOf(like) !== undefined) return inFormat(ms, "as_is", like);
    return inFormat(ms, this.#config.format === "epoch_ms" || Number(plain(like)) >= 1e11 ? "epoch_ms" : "epoch", like);
  }

  /** Numbers are times only where the config says so: an id may be one as well. */
  #msOf(value: Json): number | undefined {
    const text = plain(value);
    if (typeof value === "string") {
      const ms = timeOf(text);
      if (ms !== undefined) return ms;
    }
    const { format = "as_is" } = this.#config;
    if (format === "as_is" || !/^-?\d+(\.\d+)?$/.test(text)) return undefined;
    const number = Number(text);
    return Math.abs(number) < 1e11 ? number * 1000 : number;
  }
}

/** A time as a parameter has it. Rounded down: what is asked for is never later. */
function inFormat(ms: number, format: NonNullable<IncrementalConfig["format"]>, like: Json): Json {
  switch (format) {
    case "iso":
      return new Date(ms).toISOString();
    case "date":
      return new Date(ms).toISOString().slice(0, 10);
    case "epoch":
      return typeof like === "string" && timeOf(like) === undefined
        ? String(Math.floor(ms / 1000))
        : Math.floor(ms / 1000);
    case "epoch_ms":
      return typeof like === "string" && timeOf(like) === undefined ? String(Math.floor(ms)) : Math.floor(ms);
    case "as_is": {
      const text = like as string;
      const iso = new Date(ms).toISOString();
      if (text.length === 10) return iso.slice(0, 10);
      const isZoned = /(?:[Zz]|[+-]\d\d:?\d\d)$/.test(text.slice(10));
      const plainIso = isZoned ? iso : iso.slice(0, -1);
      return text[10] === " " ? plainIso.replace("T", " ") : plainIso;
    }
  }
}

/** A cursor field that holds what has no order. */
export function noOrder(field: string): ConnectorError {
  const message = `A record's ${field} is an object or array, which has no order to read by.`;
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path: "source.cursor_field" });
}
