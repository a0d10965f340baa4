import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type Api, startApi } from "./support.ts";

const keyFile = ({ dataDir }: Api) => path.join(dataDir, "keys", "master.key");

/** Its id. */
async function database(api: Api, name: string, password: string): Promise<string> {
  const config = { host: "127.0.0.1", port: 1, database: "d", user: "u", password };
  return (await api.call("POST", "/v1/connectors", { name, type: "postgres", config })).body.id;
}

test("a rotation makes a new key, wraps every data key by it, and leaves secrets and versions as they are", async () => {
  const api = await startApi();
  const before = (await api.call("GET", "/v1/secrets")).body;
  expect(before).toEqual({ provider: "the data folder's key file", key_version: expect.any(String), versions: [] });
  const ids = [await database(api, "one", "first-secret"), await database(api, "two", "second-secret")];
  await api.call("POST", "/v1/connectors", { name: "open", type: "blackhole", config: {} });
  const sealed = async (id: string) => Buffer.from((await api.store.connectors.get(id))!.sealed!);
  const first = await sealed(ids[0]!);
  const rotated = await api.call("POST", "/v1/secrets/rotate");
  expect(rotated).toMatchObject({ status: 200, body: { new_key: true, rewrapped: 2, unchanged: 0, failed: [] } });
  expect(rotated.body.key_version).not.toBe(before.key_version);
  expect((await api.call("GET", "/v1/secrets")).body).toMatchObject({
    key_version: rotated.body.key_version,
    versions: [{ key_version: rotated.body.key_version, sealed: 2, current: true }],
  });
  expect((await sealed(ids[0]!)).equals(first)).toBe(false);
  // What their type is to be told of them goes along.
  const events = await api.store.connectorEvents.sealed();
  expect(events.map(({ connectorId }) => connectorId)).toEqual(ids);
  expect(events[0]!.sealed).not.toEqual(first);
  const row = (await api.store.connectors.get(ids[0]!))!;
  expect(row.version).toBe(1);
  // *** keeps the secret: it is opened with the newer key, and sealed with it.
  const config = { host: "127.0.0.1", port: 1, database: "d", user: "v", password: "***" };
  const kept = await api.call("PUT", `/v1/connectors/${ids[0]}`, { name: "one", type: "postgres", config });
  expect(kept).toMatchObject({ status: 200, body: { version: 2 } });
  for (const place of [rotated.body, kept.body, api.log]) expect(JSON.stringify(place)).not.toContain("secret-");
});

test("a rotation that was broken off is finished under the same key", async () => {
  const api = await startApi();
  const ids = [await database(api, "one", "first-secret"), await database(api, "two", "second-secret")];
  const before = (await api.store.connectors.get(ids[0]!))!;
  const { body: first } = await api.call("POST", "/v1/secrets/rotate");
  // As if it had come to the second one only.
  const now = (await api.store.connectors.get(ids[0]!))!;
  expect(await api.store.connectors.reseal(ids[0]!, before.sealed!, before.sealed!)).toBe(false);
  expect(await api.store.connectors.reseal(ids[0]!, now.sealed!, before.sealed!)).toBe(true);
  const { body: second } = await api.call("POST", "/v1/secrets/rotate");
  expect(second).toMatchObject({ key_version: first.key_version, new_key: false, rewrapped: 1, unchanged: 1 });
});

test("secrets whose key is not here are named, and the others are rotated", async () => {
  const api = await startApi();
  const lost = await database(api, "lost", "lost-secret");
  const text = readFileSync(keyFile(api), "utf8");
  await api.call("POST", "/v1/secrets/rotate");
  await database(api, "kept", "kept-secret");
  const former = (await api.store.connectors.get(lost))!.sealed!;
  const strange = Buffer.from(former);
  strange[3] = strange[3]! ^ 1;
  await api.store.connectors.reseal(lost, former, strange);
  const { status, body } = await api.call("POST", "/v1/secrets/rotate");
  expect(status).toBe(200);
  expect(body).toMatchObject({ rewrapped: 0, unchanged: 1, failed: [{ name: "lost", code: "INTERNAL_ERROR" }] });
  // The former keys stay in the file, for backups.
  expect(readFileSync(keyFile(api), "utf8").endsWith(text)).toBe(true);
});

test("a rotation wraps the secrets of webhooks too, in all versions, and the audit log shows none of them", async () => {
  const api = await startApi();
  await api.call("POST", "/v1/connectors", { name: "hole", type: "blackhole", config: {} });
  const hook = (...secrets: string[]) => ({
    name: "hook",
    destination: { connector: "hole", stream: "s" },
    trigger: { type: "webhook", auth: { scheme: "github", secrets } },
  });
  const { id } = (await api.call("POST", "/v1/integrations", hook("first-secret", `\${env:SLUICE_SECRET_A}`))).body;
  await api.call("PUT", `/v1/integrations/${id}`, hook("***", "second-secret"));
  const secretsOf = async (version: number) => {
    const { spec } = (await api.store.integrations.version(id, version))!;
    return (spec as { trigger: { auth: { secrets: string[] } } }).trigger.auth.secrets;
  };
  const before = [...(await secretsOf(1)), ...(await secretsOf(2))];
  expect(before.map((text) => text.split(":")[0])).toEqual(["sealed", `\${env`, "sealed", "sealed"]);
  const { body: rotated } = await api.call("POST", "/v1/secrets/rotate");
  expect(rotated).toMatchObject({ new_key: true, rewrapped: 2, unchanged: 0, failed: [] });
  expect((await api.call("GET", "/v1/secrets")).body.versions).toEqual([
    { key_version: rotated.key_version, sealed: 2, current: true },
  ]);
  const after = [...(await secretsOf(1)), ...(await secretsOf(2))];
  expect(after[1]).toBe(before[1]);
  expect(after[0]).toBe(after[2]);
  for (const index of [0, 2, 3]) expect(before).not.toContain(after[index]);
  const row = (await api.store.integrations.get(id))!;
  expect(row.version).toBe(2);
  expect(JSON.stringify(row.spec)).toContain(after[3]);
  // Opened with the newer key: what is the same as before stays as it is.
  await api.call("PUT", `/v1/integrations/${id}`, hook("second-secret", "first-secret"));
  expect(await secretsOf(3)).toEqual([after[3], after[2]]);
  const { items } = (await api.call("GET", `/v1/audit-log?resource_id=${id}`)).body;
  expect(items).toHaveLength(3);
  expect(items[0].before.trigger.auth.secrets).toEqual(["***", "***"]);
  expect(JSON.stringify([items, api.log])).not.toMatch(/sealed:|(first|second)-secret/);
});

test("rotations beside changes leave nothing under a former key, and undo no change", {
  timeout: 120_000,
}, async () => {
  const api = await startApi();
  const hook = (secret: string, token: string) => ({
    name: "hook",
    destination: { connector: "hole", stream: "s" },
    trigger: { type: "webhook", auth: { scheme: "github", secrets: [secret], verify_token: token } },
  });
  await api.call("POST", "/v1/connectors", { name: "hole", type: "blackhole", config: {} });
  const connector = await database(api, "shop", "first-password");
  const config = (password: string) => ({ host: "127.0.0.1", database: "d", user: "u", password });
  const { id } = (await api.call("POST", "/v1/integrations", hook("first-secret", "first-token"))).body;
  for (let turn = 0; turn < 8; turn++) {
    // What is kept and what is new, while the key is renewed.
    const changes = Array.from({ length: 6 }, (_, n) => [
      api.call("PUT", `/v1/integrations/${id}`, hook("***", `token-${turn}-${n}`)),
      api.call("PUT", `/v1/connectors/${connector}`, {
        name: "shop",
        type: "postgres",
        config: config(`p-${turn}-${n}`),
      }),
    ]).flat();
    const rotated = api.call("POST", "/v1/secrets/rotate");
    const answers = await Promise.all(changes);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(await rotated).toMatchObject({ status: 200, body: { new_key: true, failed: [] } });
    const { versions } = (await api.call("GET", "/v1/secrets")).body;
    expect(versions).toMatchObject([{ current: true }]);
  }
  // The secret that was kept all the while is still the first one.
  const { changes } = (
    await api.call("POST", "/v1/apply?dry_run=true", { integrations: [hook("first-secret", "***")] })
  ).body;
  expect(changes).toMatchObject([{ action: "unchanged" }]);
});
