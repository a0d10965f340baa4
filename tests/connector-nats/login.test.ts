import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { type Msg, nkeys } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { openLink } from "../../connectors/nats/connection.ts";
import { nats } from "../../connectors/nats/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { startServer } from "../jetstream/server.ts";
import { tempDir } from "../support/temp-dir.ts";
import { localhostTls, otherTls } from "../support/tls.ts";

vi.setConfig({ testTimeout: 120_000 });

const idle = new AbortController().signal;
const seedOf = (pair: ReturnType<typeof nkeys.createUser>) => Buffer.from(pair.getSeed()).toString();

let serverUrl: string;

async function serverWith(more: string): Promise<(config: JsonObject) => ReturnType<typeof nats.create>> {
  const server = await startServer({ more });
  onTestFinished(() => server.remove());
  serverUrl = server.url;
  const servers = [server.url.replace("127.0.0.1", "localhost")];
  const context = { dataDir: "/nonexistent", fileRoots: [], expressions };
  return (config) => nats.create({ servers, ...config } as never, context);
}

test("TLS with an authority of one's own, an nkey, and a user who may not do all", async () => {
  const folder = tempDir();
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(cert, localhostTls.cert);
  writeFileSync(key, localhostTls.key);
  const pair = nkeys.createUser();
  const connector = await serverWith(`
    tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)} }
    authorization { users: [
      { nkey: ${pair.getPublicKey()} }
      { user: some, password: "p w", permissions: { publish: { deny: "closed.>" }, subscribe: { deny: "closed.>" } } }
    ] }`);
  const tls = { ca: localhostTls.cert };
  const nkey = seedOf(pair);
  await connector({ tls, nkey }).check(idle);
  await connector({ tls: { verify: false }, nkey }).check(idle);
  await expect(connector({ tls: { ca: otherTls.cert }, nkey }).check(idle)).rejects.toMatchObject({
    path: "config.tls",
  });
  await expect(connector({ tls: true, nkey }).check(idle)).rejects.toMatchObject({ path: "config.tls" });
  const other = seedOf(nkeys.createUser());
  const refused = await connector({ tls, nkey: other })
    .check(idle)
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "UNAUTHORIZED", path: "config.nkey" });
  expect(String(refused)).not.toContain(other);

  const streams = { "closed.a": { via: "core" } };
  const some = connector({ tls, user: "some", password: "p w", streams });
  await some.check(idle);
  const stream = "closed.a";
  const to = await some.openDestination!({ stream, mode: "append", key: [], runId: "r", state: null, signal: idle });
  const records = [{ text: "1", value: 1, id: "1" }];
  const forbidden = { code: "FORBIDDEN", fault: "destination" };
  await expect(to.write({ records, signal: idle })).rejects.toMatchObject(forbidden);
  await to.close();
  const options = { mode: "incremental" as const, cursorField: undefined, from: null, batch: { records: 1, bytes: 1 } };
  const source = await some.openSource!({ stream, ...options, endless: true, signal: idle });
  const reading = (async () => {
    for await (const _ of source.read());
  })();
  await expect(reading).rejects.toMatchObject(forbidden);
  await source.close();
});

test("what its user may not publish to waits; what was published beside it is not sent again", async () => {
  const connector = await serverWith(`
    authorization { users: [{ user: some, password: "p", permissions: { publish: { deny: "closed.>" } } }] }`);
  const some = { user: "some", password: "p" };
  const subject = "{{ $.to }}";
  const streams = { core: { via: "core", subject }, stored: { subject }, asked: { via: "request", subject } };
  const reading = await openLink({ servers: [serverUrl], ...some } as never, 5_000);
  onTestFinished(() => reading.close());
  const manager = await jetstreamManager(reading.connection);
  await manager.streams.add({ name: "kept", subjects: ["open.kept.>", "closed.kept.>"] });
  const heard: string[] = [];
  const callback = (_: unknown, message: Msg) => {
    heard.push(message.subject);
    message.respond();
  };
  for (const subject of ["open.core.*", "open.asked.*"]) reading.connection.subscribe(subject, { callback });
  await reading.connection.flush();
  for (const [stream, name] of [
    ["core", "core"],
    ["stored", "kept"],
    ["asked", "asked"],
  ] as const) {
    const opening = { stream, mode: "append", key: [], runId: "r", state: null, signal: idle } as const;
    const to = await connector({ ...some, streams }).openDestination!(opening);
    onTestFinished(() => to.close());
    const records = ["open", "closed", "open", "closed"].map((part, n) => {
      const value = { to: `${part}.${name}.${n}` };
      return { text: JSON.stringify(value), value, id: `${stream}${n}` };
    });
    expect(await to.write({ records, signal: idle })).toEqual({ failed: [], left: [1, 3] });
    const forbidden = { code: "FORBIDDEN", fault: "destination", path: "config.user" };
    await expect(to.write({ records: records.slice(1, 2), signal: idle })).rejects.toMatchObject(forbidden);
    if (stream === "core") continue;
    // In order nothing is sent behind it.
    const again = records.map((record) => ({ ...record, id: `${record.id} again` }));
    expect(await to.write({ records: again, ordered: true, signal: idle })).toEqual({ failed: [], left: [1, 2, 3] });
  }
  const kept = await manager.streams.info("kept", { subjects_filter: ">" });
  expect(kept.state.subjects).toEqual({ "open.kept.0": 2, "open.kept.2": 1 });
  await reading.connection.flush();
  const asked = ["open.asked.0", "open.asked.2", "open.asked.0"];
  expect(heard).toEqual(["open.core.0", "open.core.2", ...asked]);
});

test("a .creds file: a user's JWT and seed, of an account of an operator", async () => {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const jwt = (by: typeof operator, of: typeof operator, claims: JsonObject) => {
    const encoded = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const sub = of.getPublicKey();
    const body = {
      jti: sub,
      iat: 1_700_000_000,
      iss: by.getPublicKey(),
      name: "test",
      sub,
      nats: { version: 2, ...claims },
    };
    const text = `${encoded({ typ: "JWT", alg: "ed25519-nkey" })}.${encoded(body as unknown as JsonObject)}`;
    return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString("base64url")}`;
  };
  const accountJwt = (of: typeof account) => jwt(operator, of, { type: "account", limits, default_permissions: {} });
  const connector = await serverWith(`
    operator: ${jwt(operator, operator, { type: "operator" })}
    system_account: ${system.getPublicKey()}
    resolver: MEMORY
    resolver_preload { ${[system, account].map((of) => `${of.getPublicKey()}: ${accountJwt(of)}`).join("\n")} }`);
  const userJwt = jwt(account, user, { type: "user", subs: -1, data: -1, payload: -1, pub: {}, sub: {} });
  const credsOf = (seed: string) =>
    `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
    `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  await connector({ creds: credsOf(seedOf(user)) }).check(idle);
  const wrong = connector({ creds: credsOf(seedOf(nkeys.createUser())) });
  await expect(wrong.check(idle)).rejects.toMatchObject({ code: "UNAUTHORIZED", path: "config.creds" });
});
