import { RetryLaterError } from "../../runtime/errors/index.ts";
import type { Identity } from "./authenticator.ts";

export interface RequestLimitsOptions {
  /** Requests a minute of a caller that has no limit of its own; 0: as many as it likes. */
  readonly perMinute: number;
  /** Requests a minute of an address that show no token that is taken; 0: as many as it likes. */
  readonly refusedPerMinute: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

/** What is left of a minute. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Whole seconds until there is all of it again. */
  readonly resetS: number;
}

/** RATE_LIMITED, with what the one who asked has of its minute. */
export class TooManyRequestsError extends RetryLaterError {
  readonly allowance: Allowance;

  constructor(what: string, { limit, resetS }: Allowance) {
    super(`${what}: the next one is taken in ${resetS} s`, resetS * 1000, "RATE_LIMITED");
    this.allowance = { limit, remaining: 0, resetS };
  }
}

const windowMs = 60_000;
/** Callers and addresses that are remembered at once; of more the longest known is forgotten. */
const most = 20_000;

/** How many requests a caller has made in its minute, which begins with its first one. Each node counts by itself. */
export class RequestLimits {
  readonly #perMinute: number;
  readonly #refusedPerMinute: number;
  readonly #now: () => number;
  readonly #windows = new Map<string, { count: number; readonly until: number }>();

  constructor({ perMinute, refusedPerMinute, now = () => performance.now() }: RequestLimitsOptions) {
    this.#perMinute = perMinute;
    this.#refusedPerMinute = refusedPerMinute;
    this.#now = now;
  }

  /**
   * Counts a request. Null: the caller has no limit. `isData`: it moves records, and only a limit of the caller's own
   * holds for it. Throws TooManyRequestsError.
   */
  take({ id, rateLimit }: Pick<Identity, "id" | "rateLimit">, isData: boolean): Allowance | null {
    const limit = rateLimit ?? (isData ? 0 : this.#perMinute);
    if (limit === 0) return null;
    const allowance = this.#count(`caller ${id}`, limit);
    if (allowance.remaining >= 0) return allowance;
    throw new TooManyRequestsError(`more than ${limit} requests in a minute`, allowance);
  }

  /** Counts a request without a token that is taken. Throws TooManyRequestsError. */
  refused(address: string): void {
    if (this.#refusedPerMinute === 0) return;
    const allowance = this.#count(anonymous(address), this.#refusedPerMinute);
    if (allowance.remaining < 0)
      throw new TooManyRequestsError("too many requests from this address without a valid token", allowance);
  }

  /** Whether the next one without such a token is refused. Counts nothing. */
  isSpent(address: string): boolean {
    const window = this.#windows.get(anonymous(address));
    return window !== undefined && window.until > this.#now() && window.count >= this.#refusedPerMinute;
  }

  #count(who: string, limit: number): Allowance {
    const now = this.#now();
    let window = this.#windows.get(who);
    if (window === undefined || window.until <= now) {
      this.#windows.delete(who);
      if (this.#windows.size >= most) this.#windows.delete(this.#windows.keys().next().value as string);
      window = { count: 0, until: now + windowMs };
      this.#windows.set(who, window);
    }
    window.count++;
    return { limit, remaining: limit - window.count, resetS: Math.ceil((window.until - now) / 1000) };
  }
}

const anonymous = (address: string) => `address ${networkOf(address)}`;

/** An IPv6 address stands for its network: whoever has one address there has all of them. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [before = "", after] = address.toLowerCase().split("::");
  const [head, tail] = [before, after ?? ""].map((groups) => groups.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head!.length - tail!.length }, () => "0");
  return `${[...head!, ...zeros, ...tail!].slice(0, 4).join(":")}::/64`;
}
