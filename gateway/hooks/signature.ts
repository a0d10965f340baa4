import { createHmac, createPublicKey, createSecretKey, type KeyObject, verify } from "node:crypto";
import { isSame } from "./proof.ts";

export type Algorithm = "sha1" | "sha256" | "sha512";
export type Encoding = "hex" | "base64";

/** Bytes of a digest. */
const lengths = { sha1: 20, sha256: 32, sha512: 64 } as const;

/** Made once: Node makes one of plain bytes for each digest, which takes four times as long as the digest. */
export function secretKey(secret: string | Buffer): KeyObject {
  return createSecretKey(typeof secret === "string" ? Buffer.from(secret) : secret);
}

export function macOf(algorithm: Algorithm, key: KeyObject, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac(algorithm, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** A digest as it stands in a header, or undefined for what is none: Node's decoders skip what they do not know. */
export function digestOf(text: string, algorithm: Algorithm, encoding: Encoding): Buffer | undefined {
  const bytes = lengths[algorithm];
  if (encoding === "hex")
    return /^[0-9a-f]*$/.test(text) && text.length === 2 * bytes ? Buffer.from(text, "hex") : undefined;
  const digest = Buffer.from(text, "base64");
  return digest.length === bytes && digest.toString("base64") === text ? digest : undefined;
}

/** Whether one of the digests is one of those that are expected. All are compared, whichever it is. */
export function isAmong(digests: readonly (Buffer | undefined)[], expected: readonly Buffer[]): boolean {
  let found = false;
  for (const digest of digests) {
    if (digest === undefined) continue;
    for (const right of expected) found = isSame(digest, right) || found;
  }
  return found;
}

/** An Ed25519 public key of its 32 bytes (RFC 8410: a fixed head, then the key). */
export function ed25519Key(bytes: Uint8Array): KeyObject {
  const head = Buffer.from("302a300506032b6570032100", "hex");
  return createPublicKey({ key: Buffer.concat([head, bytes]), format: "der", type: "spki" });
}

export function isSignedBy(key: KeyObject, message: Uint8Array, signature: string): boolean {
  const bytes = Buffer.from(signature, "base64");
  return bytes.length === 64 && bytes.toString("base64") === signature && verify(null, message, key, bytes);
}
