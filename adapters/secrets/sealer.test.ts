import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { keyring, localKeys } from "./key-provider.ts";
import { createSealer } from "./sealer.ts";

const connector = "0199f6a0-0000-7000-8000-000000000001";
const secrets: JsonObject = { password: "pässwörd ☃", "auth.tokens[0]": "a", port: 5432 };
const key = randomBytes(32);
const sealer = createSealer(localKeys([key]));

test("what was sealed for a connector is opened for it, by another process with the same key", async () => {
  const sealed = await sealer.seal(connector, secrets);
  expect(await createSealer(localKeys([Buffer.from(key)])).unseal(connector, sealed)).toEqual(secrets);
  expect(Buffer.from(sealed).includes("ssw")).toBe(false);
});

test("numbers keep their digits", async () => {
  const big = parseJson('{"pin":12345678901234567890}') as JsonObject;
  const opened = await sealer.unseal(connector, await sealer.seal(connector, big));
  expect(JSON.stringify(opened)).toBe('{"pin":12345678901234567890}');
});

test("each seal has a data key of its own", async () => {
  const [one, two] = await Promise.all([sealer.seal(connector, secrets), sealer.seal(connector, secrets)]);
  expect(Buffer.from(one).equals(two)).toBe(false);
});

test("the secrets of one connector do not open for another", async () => {
  const sealed = await sealer.seal(connector, secrets);
  await expect(sealer.unseal(connector.replace(/1$/, "2"), sealed)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
});

test("with another key, the error names both keys and what to do", async () => {
  const sealed = await sealer.seal(connector, secrets);
  await expect(createSealer(localKeys([randomBytes(32)])).unseal(connector, sealed)).rejects.toThrow(
    /sealed with key local-[0-9a-f]{16}, but this node has local-[0-9a-f]{16}/,
  );
});

test("a change of any byte is noticed", async () => {
  const sealed = Buffer.from(await sealer.seal(connector, secrets));
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    await expect(sealer.unseal(connector, changed), `byte ${at}`).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  }
});

test("a sealed text cut off anywhere is refused", async () => {
  const sealed = await sealer.seal(connector, secrets);
  for (let length = 0; length < sealed.byteLength; length++) {
    const cut = sealed.subarray(0, length);
    await expect(sealer.unseal(connector, cut), `${length} bytes`).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  }
});

test("no error holds a secret", async () => {
  const sealed = Buffer.from(await sealer.seal(connector, secrets));
  sealed[sealed.length - 1]! ^= 1;
  const error: unknown = await sealer.unseal(connector, sealed).catch((caught: unknown) => caught);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("ssw");
});

test("rotation wraps the data key anew, and leaves the secrets as they were sealed", async () => {
  const sealed = await sealer.seal(connector, secrets);
  const newer = randomBytes(32);
  const both = createSealer(localKeys([newer, key]));
  const rewrapped = await both.rewrap(connector, sealed);
  expect([both.keyVersion(sealed), both.keyVersion(rewrapped)]).toEqual([await sealer.current(), await both.current()]);
  const body = Buffer.from(JSON.stringify(secrets)).length + 12 + 16;
  expect(Buffer.from(rewrapped.subarray(-body)).equals(sealed.subarray(-body))).toBe(true);
  expect(await createSealer(localKeys([newer])).unseal(connector, rewrapped)).toEqual(secrets);
  await expect(sealer.unseal(connector, rewrapped)).rejects.toThrow(/sealed with key/);
});

test("what another provider has wrapped is opened by it, and rotation moves it to the first one", async () => {
  const sealed = await sealer.seal(connector, secrets);
  const other = localKeys([randomBytes(32)]);
  const ring = createSealer(keyring(other, [localKeys([key])]));
  expect(await ring.unseal(connector, sealed)).toEqual(secrets);
  const rewrapped = await ring.rewrap(connector, sealed);
  expect(await createSealer(other).unseal(connector, rewrapped)).toEqual(secrets);
  const stranger = createSealer(keyring(other, []));
  await expect(stranger.unseal(connector, sealed)).rejects.toThrow(/sealed with key local-/);
});
