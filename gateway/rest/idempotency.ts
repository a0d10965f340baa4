import { createHash } from "node:crypto";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { IdempotencyStore, KeptAnswer } from "../../runtime/ports/idempotency.ts";

export const idempotencyKeySchema: Part = { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" };
const pattern = new RegExp(idempotencyKeySchema.pattern as string);

/** A request that is made once, however often it comes. */
export interface OneRequest {
  /** The id of the caller's key: two callers may give the same one. */
  readonly caller: string;
  /** The header. */
  readonly key: string;
  readonly method: string;
  readonly url: string;
  readonly body: Json;
  /** The answer has what is shown once, and is not kept. */
  readonly isSecret: boolean;
}

export function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined || (typeof header === "string" && pattern.test(header))) return header;
  throw new SluiceError("VALIDATION_ERROR", "Idempotency-Key is 1 to 255 visible ASCII characters, given once");
}

/**
 * Does the work, or answers as it was answered before. Only what the work resolves with is kept: what it throws
 * changed nothing, and may be tried again under the same key.
 */
export async function once(
  store: IdempotencyStore,
  { caller, key, method, url, body, isSecret }: OneRequest,
  work: () => Promise<KeptAnswer>,
): Promise<KeptAnswer & { readonly replayed: boolean }> {
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([method, url, body]))
    .digest();
  const begun = await store.begin(caller, key, fingerprint);
  if (begun === "other") {
    throw new SluiceError("BUSINESS_RULE", "this Idempotency-Key was given to another request: use a new one");
  }
  if (begun === "busy") {
    throw new SluiceError("CONFLICT", "a request with this Idempotency-Key is under way: ask again in a moment");
  }
  if (begun !== "begun") {
    if (!isSecret) return { ...begun, replayed: true };
    throw new SluiceError("CONFLICT", "this was done already, and what it answered is shown once");
  }
  let answer: KeptAnswer;
  try {
    answer = await work();
  } catch (error) {
    await store.forget(caller, key);
    throw error;
  }
  await store.done(caller, key, isSecret ? { ...answer, body: null } : answer);
  return { ...answer, replayed: false };
}
