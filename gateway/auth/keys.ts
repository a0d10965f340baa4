import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import type { NewApiKey } from "../../runtime/ports/identity.ts";

const prefixLength = "slc_".length + 6;

/** A key as it is given out, once, and what is kept of it. */
export function newKey(of: Pick<NewApiKey, "name" | "role" | "scopes" | "owner" | "expiresAt">): {
  readonly key: string;
  readonly row: NewApiKey;
} {
  const key = `slc_${randomBytes(32).toString("base64url")}`;
  return { key, row: rowOf(key, of) };
}

export function rowOf(key: string, of: Pick<NewApiKey, "name" | "role" | "scopes" | "owner" | "expiresAt">): NewApiKey {
  const { name, role, scopes, owner, expiresAt } = of;
  return {
    id: randomUUIDv7(),
    hash: hashOf(key),
    prefix: key.slice(0, prefixLength),
    name,
    role,
    scopes,
    owner,
    expiresAt,
  };
}

/** Of a random key a plain SHA-256 is enough: there is nothing to guess. */
export function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
