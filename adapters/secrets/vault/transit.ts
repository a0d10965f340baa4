import { SluiceError } from "../../../runtime/errors/index.ts";
import type { KeyProvider, WrappedKey } from "../key-provider.ts";
import type { VaultSession } from "./session.ts";

/**
 * Wraps by a key of Vault's transit engine, which never leaves it. Which connector a data key belongs to is not bound
 * here but by what the data key seals, so that Vault itself can wrap it anew without showing it.
 */
export function transitKey(
  { mount, key }: { readonly mount: string; readonly key: string },
  session: Pick<VaultSession, "call">,
): KeyProvider {
  const prefix = `vault:${mount}/${key}:v`;
  const call = async (what: "encrypt" | "decrypt" | "rewrap", body: object): Promise<Record<string, unknown>> => {
    const answer = await session.call("POST", `${mount}/${what}/${key}`, body);
    if (!answer?.data) throw new SluiceError("NOT_FOUND", `Vault has no transit key ${key} at ${mount}/`);
    return answer.data;
  };
  const wrappedBy = ({ ciphertext }: Record<string, unknown>): WrappedKey => {
    const [, version] = /^vault:v(\d+):/.exec(String(ciphertext)) ?? [];
    if (version === undefined) throw new SluiceError("INTERNAL_ERROR", "Vault's transit engine answered no ciphertext");
    return { keyVersion: prefix + version, wrapped: Buffer.from(String(ciphertext)) };
  };
  const wrap = async (dataKey: Uint8Array) =>
    wrappedBy(await call("encrypt", { plaintext: Buffer.from(dataKey).toString("base64") }));
  return {
    name: `Vault transit (${mount}/${key})`,
    opens: (keyVersion) => keyVersion.startsWith(prefix),
    // What may wrap may ask so; reading the key's description would need a right of its own.
    current: async () => (await wrap(new Uint8Array(1))).keyVersion,
    wrap,
    async unwrap({ wrapped }) {
      const { plaintext } = await call("decrypt", { ciphertext: Buffer.from(wrapped).toString() });
      return Buffer.from(String(plaintext), "base64");
    },
    rewrap: async ({ wrapped }) => wrappedBy(await call("rewrap", { ciphertext: Buffer.from(wrapped).toString() })),
  };
}
