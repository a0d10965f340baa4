import { randomBytes } from "node:crypto";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Sealer } from "../../runtime/ports/connectors.ts";
import { isObject, parseJson } from "../../runtime/record/index.ts";
import { decrypt, encrypt, type KeyProvider, type WrappedKey } from "./key-provider.ts";

const formatVersion = 1;

/**
 * Envelope encryption: the secrets of a connector by a data key of their own, that key by the provider's. Sealed:
 * format (1 byte), length of the key version (1) and the key version, length of the wrapped key (2) and the wrapped
 * key, then the secrets. The connector's id is authenticated with the key and with the secrets,
 * so that secrets cannot be moved to another connector. Rotation re-wraps the data key, without the secrets.
 */
export function createSealer(keys: KeyProvider): Sealer {
  return {
    provider: keys.name,
    current: () => keys.current(),
    keyVersion: (sealed) => takeApart(sealed).keyVersion,

    async seal(connectorId, secrets) {
      const dataKey = randomBytes(32);
      const head = headOf(await keys.wrap(dataKey, connectorId));
      return Buffer.concat([head, encrypt(dataKey, Buffer.from(JSON.stringify(secrets)), context(connectorId))]);
    },

    async rewrap(connectorId, sealed) {
      const { keyVersion, wrapped, body } = takeApart(sealed);
      const key = { keyVersion, wrapped };
      const anew = keys.rewrap
        ? await keys.rewrap(key, connectorId)
        : await keys.wrap(await keys.unwrap(key, connectorId), connectorId);
      return Buffer.concat([headOf(anew), body]);
    },

    ...(keys.renew && { renewKey: keys.renew }),

    async unseal(connectorId, sealed) {
      const { keyVersion, wrapped, body } = takeApart(sealed);
      const dataKey = await keys.unwrap({ keyVersion, wrapped }, connectorId);
      const secrets = parseJson(Buffer.from(decrypt(dataKey, body, context(connectorId))).toString());
      if (!isObject(secrets)) throw broken();
      return secrets;
    },
  };
}

/** The head is left out on purpose: it may change (rotation), and a changed one gives another data key, or none. */
function context(connectorId: string): string {
  return `sluice secrets ${formatVersion}\0${connectorId}`;
}

function headOf({ keyVersion, wrapped }: WrappedKey): Uint8Array {
  const name = Buffer.from(keyVersion);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(wrapped.byteLength);
  return Buffer.concat([Buffer.from([formatVersion, name.byteLength]), name, size, wrapped]);
}

function takeApart(sealed: Uint8Array): { keyVersion: string; wrapped: Uint8Array; body: Uint8Array } {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length > 0 && bytes[0] !== formatVersion) {
    throw new SluiceError("INTERNAL_ERROR", `the secrets were sealed by a newer sluice (format ${bytes[0]})`);
  }
  const nameEnd = 2 + (bytes[1] ?? 0);
  if (bytes.length < nameEnd + 2) throw broken();
  const keyEnd = nameEnd + 2 + bytes.readUInt16BE(nameEnd);
  if (bytes.length < keyEnd) throw broken();
  return {
    keyVersion: bytes.toString("utf8", 2, nameEnd),
    wrapped: bytes.subarray(nameEnd + 2, keyEnd),
    body: bytes.subarray(keyEnd),
  };
}

function broken(): SluiceError {
  return new SluiceError("INTERNAL_ERROR", "the sealed secrets are cut off or no secrets at all");
}
