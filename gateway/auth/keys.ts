import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import type { NewApiKey } from "../../runtime/ports/identity.ts";

/** What a key is made for. */
type KeyOf = Omit<NewApiKey, "id" | "hash" | "prefix">;

const prefixLength = "slc_".length + 6;

/** A key as it is given out, once, and what is kept of it. */
export function newKey(of: KeyOf): {
  readonly key: string;
  readonly row: NewApiKey;
} {
  const key = `slc_${randomBytes(32).toString("base64url")}`;
  return { key, row: rowOf(key, of) };
}

export function rowOf(key: string, of: KeyOf): NewApiKey {
  return { id: randomUUIDv7(), hash: hashOf(key), prefix: key.slice(0, prefixLength), ...of };
}

/** Of a random key a plain SHA-256 is enough: there is nothing to guess. */
export function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
