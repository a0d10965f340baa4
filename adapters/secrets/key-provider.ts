import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { SluiceError } from "../../runtime/errors/index.ts";

export interface WrappedKey {
  /** Names the key that wrapped it; at most 255 bytes. */
  readonly keyVersion: string;
  readonly wrapped: Uint8Array;
}

/** Where the key-encryption key is. One file more for each other place: Vault's transit engine, a cloud's KMS. */
export interface KeyProvider {
  /** As shown to people: `Vault transit (transit/sluice)`. */
  readonly name: string;
  /** Whether a key of this name is one of this provider's. */
  opens(keyVersion: string): boolean;
  /** Name of the key that `wrap` takes now, the newest. */
  current(): Promise<string>;
  wrap(dataKey: Uint8Array, context: string): Promise<WrappedKey>;
  /** Throws SluiceError INTERNAL_ERROR where it was changed. `context` is that of `wrap`. */
  unwrap(key: WrappedKey, context: string): Promise<Uint8Array>;
  /** By the newest key, without giving the data key away; left out: it is unwrapped and wrapped. */
  rewrap?(key: WrappedKey, context: string): Promise<WrappedKey>;
  /** Makes a newer key and wraps by it from then on; left out: others make them. */
  renew?(): Promise<void>;
}

/** Wraps by keys of 32 bytes that this process holds: the first one wraps, all of them open. */
export function localKeys(keys: readonly [Uint8Array, ...Uint8Array[]], name = "local"): KeyProvider {
  const byName = new Map(keys.map((key) => [nameOf(key), key]));
  const [first] = keys;
  return {
    name,
    opens: (keyVersion) => byName.has(keyVersion),
    current: async () => nameOf(first),
    async wrap(dataKey, context) {
      return { keyVersion: nameOf(first), wrapped: encrypt(first, dataKey, context) };
    },
    async unwrap({ keyVersion, wrapped }, context) {
      const key = byName.get(keyVersion);
      if (key === undefined) throw unknownKey(keyVersion, [...byName.keys()]);
      return decrypt(key, wrapped, context);
    },
  };
}

/** Wraps by the first provider; what another one has wrapped, that one opens. */
export function keyring(first: KeyProvider, others: readonly KeyProvider[]): KeyProvider {
  const holder = async (keyVersion: string): Promise<KeyProvider> => {
    const found = [first, ...others].find((provider) => provider.opens(keyVersion));
    if (found) return found;
    // An away Vault must not hide which key is missing.
    throw unknownKey(
      keyVersion,
      await first.current().then(
        (name) => [name],
        () => [first.name],
      ),
    );
  };
  const { rewrap, renew } = first;
  return {
    name: first.name,
    opens: (keyVersion) => [first, ...others].some((provider) => provider.opens(keyVersion)),
    current: () => first.current(),
    wrap: (dataKey, context) => first.wrap(dataKey, context),
    unwrap: async (key, context) => (await holder(key.keyVersion)).unwrap(key, context),
    async rewrap(key, context) {
      if (rewrap && first.opens(key.keyVersion)) return rewrap(key, context);
      return first.wrap(await (await holder(key.keyVersion)).unwrap(key, context), context);
    },
    ...(renew && { renew }),
  };
}

/** A name for a key that tells nothing about it. */
function nameOf(key: Uint8Array): string {
  return `local-${createHash("sha256").update("sluice key version\0").update(key).digest("hex").slice(0, 16)}`;
}

function unknownKey(keyVersion: string, held: readonly string[]): SluiceError {
  return new SluiceError(
    "INTERNAL_ERROR",
    `the secrets were sealed with key ${keyVersion}, but this node has ${held.join(", ")}: bring back the former key, or set the secrets anew`,
  );
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
