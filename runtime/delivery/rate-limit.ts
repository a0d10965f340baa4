import { messageOf } from "../errors/index.ts";
import type { Clock } from "../ports/clock.ts";
import type { QuotaKey, QuotaStore } from "../ports/quotas.ts";
import { type Grant, parseQuota, type Quota, quotaState, type RateLimits, reserve, settle } from "./quota.ts";

export interface RateLimitOptions {
  readonly limits: RateLimits;
  readonly key: QuotaKey;
  readonly quotas: QuotaStore;
  readonly clock: Clock;
}

const secondMs = 1_000;
/** While the store is away it is asked again at this pace. */
const storeMs = 1_000;
/** What was heard from the store longer ago is asked again: by then this machine's clock may have been set. */
const knownMs = 5_000;
/** A wait that is shorter needs no reason. */
const toldMs = 1_000;
/** Calls that are granted at once, at most. */
const chunkMax = 100_000;

/**
 * Upper bounds of the calls to a destination: in any minute and on a day over all nodes, through restarts too, and in
 * any second on this one. Calls are granted by the store some at a time, as many as are made in a second or two, so
 * that it is not asked for each of them.
 */
export class RateLimit {
  readonly #options: RateLimitOptions;
  /** Undefined: to be read again. */
  #known: { quota: Quota; revision: number } | undefined;
  #heardAt = 0;
  /** The store's clock less this one. */
  #ahead = 0;
  #latest = Number.NEGATIVE_INFINITY;
  #grant: Grant | undefined;
  #left = 0;
  #lastCall = 0;
  /** Of the last second. */
  #calls: number[] = [];
  /** What an earlier owner's calls of the last second leave free is not known: its burst is waited out. */
  #notBefore: number | undefined;
  #chunk = 1;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Resolves when a call may be made. Rejects only when the signal aborts. */
  take(signal: AbortSignal, waiting: (reason: string | null) => void): Promise<Taken> {
    const taken = this.#queue.then(() => this.#take(signal, waiting));
    this.#queue = taken.catch(() => {});
    return new Promise((resolve, reject) => {
      // Who stands behind others that wait need not wait for them.
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      taken.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  /** A call that was taken is not made. Of a grant that is settled it stays used. */
  giveBack({ grant, at }: Taken): void {
    if (this.#grant === grant) this.#left++;
    const index = this.#calls.lastIndexOf(at);
    if (index >= 0) this.#calls.splice(index, 1);
  }

  /** Gives back what was granted and not used, if the store takes it now. */
  async close(): Promise<void> {
    if (!this.#known || !this.#grant || this.#left === 0) return;
    const { quota, revision } = this.#known;
    const { key, quotas } = this.#options;
    this.#known = undefined;
    await quotas.write(key, quotaState(this.#settled(quota)), revision).catch(() => null);
  }

  async #take(signal: AbortSignal, waiting: (reason: string | null) => void): Promise<Taken> {
    let told = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        const at = this.#now();
        const step = this.#tryTake(at);
        if (step === "taken") return { grant: this.#grant as Grant, at };
        const wait = step ?? (await this.#reserve());
        if (!wait) continue;
        if (wait.reason !== undefined && wait.ms >= toldMs) {
          waiting(wait.reason);
          told = true;
        }
        await this.#options.clock.sleep(wait.ms, signal);
      }
    } finally {
      if (told) waiting(null);
    }
  }

  /** Undefined where nothing is granted any more. */
  #tryTake(now: number): "taken" | Wait | undefined {
    const { burst } = this.#options.limits;
    if (!this.#grant || this.#left === 0 || now >= this.#grant.until) return undefined;
    if (burst !== null) {
      if (this.#notBefore !== undefined && now < this.#notBefore) return { ms: this.#notBefore - now };
      while (this.#calls.length > 0 && (this.#calls[0] as number) + secondMs <= now) this.#calls.shift();
      if (this.#calls.length >= burst) return { ms: (this.#calls[0] as number) + secondMs - now };
      this.#calls.push(now);
    }
    this.#left--;
    this.#lastCall = now;
    return "taken";
  }

  /** Undefined where there may be something to take now. */
  async #reserve(): Promise<Wait | undefined> {
    const { limits, key, quotas, clock } = this.#options;
    try {
      if (clock.now() - this.#heardAt > knownMs) this.#known = undefined;
      const { quota, revision } = (this.#known ??= await this.#read());
      const chunk = this.#nextChunk();
      const calls = Math.min(chunk, (limits.burst ?? chunkMax) * 2);
      const reserved = reserve(this.#settled(quota), limits, calls, this.#now());
      if ("waitMs" in reserved) return { ms: reserved.waitMs, reason: this.#reason(reserved.limit, reserved.waitMs) };
      this.#chunk = chunk;
      this.#known = undefined;
      const written = await quotas.write(key, quotaState(reserved.quota), revision);
      this.#drop();
      if (!written) return undefined;
      this.#heard(written.now);
      this.#known = { quota: reserved.quota, revision: written.revision };
      this.#grant = reserved.grant;
      this.#left = reserved.grant.calls;
      return undefined;
    } catch (error) {
      this.#known = undefined;
      this.#drop();
      return { ms: storeMs, reason: `rate limit: ${messageOf(error)}` };
    }
  }

  /** Of what is used up before its time twice as much, else as much as was used. */
  #nextChunk(): number {
    if (!this.#grant) return this.#chunk;
    const used = this.#grant.calls - this.#left;
    return this.#left > 0 ? Math.max(1, used) : Math.min(this.#chunk * 2, chunkMax);
  }

  async #read(): Promise<{ quota: Quota; revision: number }> {
    const { key, quotas } = this.#options;
    const { state, revision, now } = await quotas.read(key);
    this.#heard(now);
    this.#latest = Number.NEGATIVE_INFINITY;
    const quota = parseQuota(state);
    this.#notBefore ??= Math.max(...quota.grants.map(({ until }) => until + secondMs), 0);
    return { quota, revision };
  }

  #heard(now: number): void {
    this.#heardAt = this.#options.clock.now();
    this.#ahead = now - this.#heardAt;
  }

  /** What is in hand is of no use any more, and stays granted. */
  #drop(): void {
    this.#grant = undefined;
    this.#left = 0;
  }

  #settled(quota: Quota): Quota {
    if (!this.#grant) return quota;
    return settle(quota, this.#grant, { until: this.#lastCall, calls: this.#grant.calls - this.#left });
  }

  /** By the store's clock. Where this machine's is set back, the store is asked. */
  #now(): number {
    const now = this.#options.clock.now() + this.#ahead;
    if (now < this.#latest - secondMs) {
      this.#known = undefined;
      this.#drop();
    }
    this.#latest = Math.max(now, this.#latest);
    return this.#latest;
  }

  #reason(limit: "minute" | "day", waitMs: number): string {
    const { perMinute, perDay } = this.#options.limits;
    const bound = limit === "minute" ? `${perMinute} calls a minute` : `${perDay} calls a day`;
    const at = new Date(this.#options.clock.now() + waitMs).toISOString().slice(0, 19);
    return `rate limit of ${bound} reached (until ${at}Z)`;
  }
}

/** A call that may be made. */
interface Taken {
  readonly grant: Grant;
  readonly at: number;
}

interface Wait {
  readonly ms: number;
  readonly reason?: string;
}
