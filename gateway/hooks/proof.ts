import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { SluiceError } from "../../runtime/errors/index.ts";

/** A request as it came: nothing of its body has been decoded. */
export interface HookRequest {
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** What is known of a request whose sender has proved itself. */
export interface Proof {
  /** Its body, at least. */
  readonly isSigned: boolean;
  /** Signed together with the body: a request with the same one is the same request. */
  readonly id?: string;
  /** When it was signed, in milliseconds. */
  readonly signedAt?: number;
}

/** Throws a SluiceError (UNAUTHORIZED) that says what is wrong, and nothing about what would be right. */
export type Verifier = (request: HookRequest, now: number) => Proof;

export function refused(message: string): SluiceError {
  return new SluiceError("UNAUTHORIZED", message);
}

/** A header that stands there once. */
export function headerOf({ headers }: HookRequest, name: string): string {
  const value = headers[name];
  if (typeof value !== "string" || value === "") throw refused(`The header ${name} is missing`);
  return value;
}

/** Seconds since 1970, not further from now than the tolerance; in milliseconds. */
export function signedAt(text: string, name: string, now: number, toleranceMs: number): number {
  if (!/^\d{1,12}$/.test(text)) throw refused(`${name} is no number of seconds since 1970`);
  const at = Number(text) * 1000;
  // Whole seconds, as they were signed.
  const age = Math.floor(now / 1000) * 1000 - at;
  if (age > toleranceMs)
    throw refused(`The request was signed ${age / 1000} s ago; ${toleranceMs / 1000} s are allowed`);
  if (-age > toleranceMs) throw refused(`The request was signed ${-age / 1000} s in the future; check the clocks`);
  return at;
}

/** Whether two byte strings are equal, in a time that tells nothing of either. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return timingSafeEqual(hash("sha256", one, "buffer"), hash("sha256", other, "buffer"));
}
