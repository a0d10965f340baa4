import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { SluiceError } from "../../runtime/errors/index.ts";

export interface WrappedKey {
  /** Names the key that wrapped it; at most 255 bytes. */
  readonly keyVersion: string;
  readonly wrapped: Uint8Array;
}

/** Where the key-encryption key is: it never leaves there. One file more for each other place (Vault transit). */
export interface KeyProvider {
  /** `context` is bound to the result: it unwraps with the same context only. */
  wrap(dataKey: Uint8Array, context: string): Promise<WrappedKey>;
  /** Throws SluiceError INTERNAL_ERROR where it was wrapped by another key, or was changed. */
  unwrap(key: WrappedKey, context: string): Promise<Uint8Array>;
}

/** Wraps by a key of 32 bytes that this process holds. */
export function localKey(key: Uint8Array): KeyProvider {
  // A name for the key that tells nothing about it.
  const version = `local-${createHash("sha256").update("sluice key version\0").update(key).digest("hex").slice(0, 16)}`;
  return {
    async wrap(dataKey, context) {
      return { keyVersion: version, wrapped: encrypt(key, dataKey, context) };
    },
    async unwrap({ keyVersion, wrapped }, context) {
      if (keyVersion !== version) {
        throw new SluiceError(
          "INTERNAL_ERROR",
          `the secrets were sealed with key ${keyVersion}, but this node has ${version}: bring back the former master key, or set the secrets anew`,
        );
      }
      return decrypt(key, wrapped, context);
    },
  };
}

const ivBytes = 12;
const tagBytes = 16;

/** AES-256-GCM: nonce, tag, ciphertext. `context` is authenticated with it. */
export function encrypt(key: Uint8Array, plain: Uint8Array, context: Uint8Array | string): Uint8Array {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(context));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]);
}

/** Throws SluiceError INTERNAL_ERROR unless key, text and context are those of `encrypt`. */
export function decrypt(key: Uint8Array, sealed: Uint8Array, context: Uint8Array | string): Uint8Array {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes })
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()]);
  } catch {
    throw new SluiceError(
      "INTERNAL_ERROR",
      "the secrets cannot be opened: they were changed, or belong to another connector or key",
    );
  }
}
