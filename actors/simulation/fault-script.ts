import { ConnectorError, type ErrorCode } from "../../connectors/sdk/index.ts";
import { parseDuration } from "../../runtime/config/duration.ts";
import { codes } from "../../runtime/errors/index.ts";
import type { Call, Crash, Duplicate, FailingCall } from "../../runtime/testing/index.ts";

/** Calls in a row, the first ones with faults; knows what of them never happened. */
export class CallScript {
  readonly #calls: { readonly path: string; readonly call: Call; left: number; used: boolean }[];

  /** `path`: where the calls stand in the test. */
  constructor(path: string, calls: readonly Call[] = []) {
    this.#calls = calls.map((call, index) => {
      const { times = 1 } = call;
      const left = times === "always" ? Number.POSITIVE_INFINITY : times;
      return { path: `${path}[${index}]`, call, left, used: false };
    });
  }

  /** What happens at the next call; undefined: it succeeds. */
  next(): (FailingCall & Pick<Call, "written">) | undefined {
    const current = this.#calls.find(({ left }) => left > 0);
    if (current === undefined) return undefined;
    current.left--;
    current.used = true;
    const { code } = current.call;
    return code === "OK" ? undefined : { ...current.call, code };
  }

  get unused(): string[] {
    return this.#calls.filter(({ left, used }) => !used || Number.isFinite(left) === left > 0).map(({ path }) => path);
  }
}

export function messageOfFault(code: ErrorCode, message: string | undefined): string {
  return message ?? `${code}, as the test says`;
}

export function retryAfter(text: string | undefined): { readonly retryAfterMs?: number } {
  return text === undefined ? {} : { retryAfterMs: parseDuration(text) as number };
}

export function errorOf({ code, message, retry_after, fault }: FailingCall): ConnectorError {
  const options = { fault: fault ?? codes[code].fault, ...retryAfter(retry_after) };
  return new ConnectorError(code, messageOfFault(code, message), options);
}

/** The points at which nodes are killed, one after another. */
export class CrashScript {
  readonly #crashes: readonly Crash[];
  #next = 0;
  #seen = 0;

  constructor(crashes: readonly Crash[] = []) {
    this.#crashes = crashes;
  }

  /** Whether the node is killed now. `destination` undefined: what is done is for none in particular. */
  at(before: Crash["before"], destination?: string): boolean {
    const crash = this.#crashes[this.#next];
    if (crash?.before !== before) return false;
    if (crash.destination !== undefined && crash.destination !== destination) return false;
    if (++this.#seen < (crash.nth ?? 1)) return false;
    this.#next++;
    this.#seen = 0;
    return true;
  }

  /** A node has started: what comes is counted anew. */
  restarted(): void {
    this.#seen = 0;
  }

  get unused(): string[] {
    return this.#crashes.slice(this.#next).map((_, index) => `faults.crashes[${this.#next + index}]`);
  }
}

/** Batches that the log delivers again: once while they are in hand, once after their ack, which is lost. */
export class DuplicateScript {
  readonly #duplicates: readonly (Duplicate & { inHand: boolean; settled: boolean })[];

  constructor(duplicates: readonly Duplicate[] = []) {
    this.#duplicates = duplicates.map((duplicate) => ({ ...duplicate, inHand: false, settled: false }));
  }

  /** Of the nth batch of a destination's log, or of the ingest log. */
  redelivers(destination: string | undefined, nth: number): boolean {
    const found = this.#find(destination, nth, "inHand");
    if (found) found.inHand = true;
    return found !== undefined;
  }

  losesAck(destination: string | undefined, nth: number): boolean {
    const found = this.#find(destination, nth, "settled");
    if (found) found.settled = true;
    return found !== undefined;
  }

  #find(destination: string | undefined, nth: number, moment: "inHand" | "settled") {
    return this.#duplicates.find((one) => one.destination === destination && (one.batch ?? 1) === nth && !one[moment]);
  }

  get unused(): string[] {
    return this.#duplicates.flatMap(({ settled }, index) => (settled ? [] : [`faults.duplicates[${index}]`]));
  }
}
