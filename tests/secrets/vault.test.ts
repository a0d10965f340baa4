// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { createSign, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connectVault, createSealer, keyring, localKeys, referenceResolver } from "../../adapters/secrets/index.ts";
import { resolveReferences } from "../../runtime/config/index.ts";
import { NotReadyError } from "../../runtime/errors/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { tempDir } from "../support/temp-dir.ts";
import { localhostTls } from "../support/tls.ts";
import { startVault, type TestVault, vaultBuildMs } from "../support/vault.ts";

const ends: (() => unknown)[] = [];
let vault: TestVault;

beforeAll(async () => {
  vault = await startVault(tempDir((end) => ends.push(end)));
  ends.push(() => vault.stop());
  await vault.call("POST", "sys/mounts/old", { type: "kv", options: { version: "1" } });
  await vault.call("POST", "sys/mounts/transit", { type: "transit" });
  for (const method of ["approle", "jwt"]) await vault.call("POST", `sys/auth/${method}`, { type: method });
  const rules = 'path "secret/data/sluice/*" { capabilities = ["read"] }';
  await vault.call("PUT", "sys/policies/acl/reader", { policy: rules });
}, vaultBuildMs);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const put = (path: string, data: object) => vault.call("POST", `secret/data/${path}`, { data });

/** A node's view of a Vault: what a reference stands for. */
async function connected(env: Record<string, string> = {}, to: TestVault = vault) {
  const told: string[] = [];
  const all = {
    SLUICE_VAULT_ADDR: to.url,
    ...(env.SLUICE_VAULT_ROLE_ID || env.SLUICE_VAULT_KUBERNETES_ROLE ? {} : { SLUICE_VAULT_TOKEN: to.token }),
    ...env,
  };
  const secret = (token: string) => void told.push(token);
  const made = (await connectVault({ env: all, clock: realClock, logger: noLogger, secret }))!;
  onTestFinished(() => made.close());
  const resolver = referenceResolver({ env: {}, secretsDir: "/nonexistent", vault: made.reader });
  const resolve = (text: string) => resolveReferences(text, resolver);
  return { resolve, told, key: made.key };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test("a reference stands for what Vault has at the path, in a store of either version", async () => {
  await put("sluice/shop", { user: "etl", password: "pa}ss#1", port: 5432, nested: { a: [1] } });
  await vault.call("POST", "old/sluice/crm", { token: "t-1" });
  const { resolve } = await connected({ SLUICE_VAULT_PATHS: "secret/sluice, old" });
  expect(await resolve("${vault:secret/sluice/shop#user}:${vault:secret/sluice/shop#password}")).toBe("etl:pa}ss#1");
  expect(await resolve("${vault:secret/sluice/shop#port}")).toBe("5432");
  expect(await resolve("${vault:secret/sluice/shop#nested}")).toBe('{"a":[1]}');
  expect(await resolve("${vault:old/sluice/crm#token}")).toBe("t-1");
});

test("a value that was rotated arrives without a restart", async () => {
  await put("sluice/rotated", { password: "one" });
  const { resolve } = await connected();
  expect(await resolve("${vault:secret/sluice/rotated#password}")).toBe("one");
  await put("sluice/rotated", { password: "two" });
  await expect.poll(() => resolve("${vault:secret/sluice/rotated#password}")).toBe("two");
});

describe("what does not resolve says why, by its reference", () => {
  test.each([
    ["${vault:secret/sluice/none#a}", "NOT_FOUND", "resolves to nothing: Vault has nothing at secret/sluice/none"],
    [
      "${vault:secret/sluice/here#b}",
      "VALIDATION_ERROR",
      "resolves to nothing: what Vault has at secret/sluice/here has no b",
    ],
    ["${vault:secret/sluice/here#constructor}", "VALIDATION_ERROR", "has no constructor"],
    ["${vault:secret/sluice/deleted#a}", "NOT_FOUND", "Vault has nothing at secret/sluice/deleted"],
    [
      "${vault:secret/data/sluice/here#a}",
      "VALIDATION_ERROR",
      "is refused: only what is below secret/sluice/, kv/ can be named",
    ],
    ["${vault:secret/other#a}", "VALIDATION_ERROR", "SLUICE_VAULT_PATHS"],
    ["${vault:secret/sluice-admin/here#a}", "VALIDATION_ERROR", "SLUICE_VAULT_PATHS"],
    ["${vault:secret/sluice/../other#a}", "VALIDATION_ERROR", "is refused: the path has"],
    ["${vault:secret/sluice/%2e%2e/other#a}", "VALIDATION_ERROR", "is refused: the path has"],
    ["${vault:auth/token/lookup-self#id}", "VALIDATION_ERROR", "is refused"],
    ["${vault:kv/gone#a}", "FORBIDDEN", "Vault denies access to kv/gone, or has no such mount"],
  ])("%s: %s", async (reference, code, why) => {
    await put("sluice/here", { a: "1" });
    await put("other", { a: "other" });
    await put("sluice/deleted", { a: "1" });
    await vault.call("DELETE", "secret/data/sluice/deleted");
    const { resolve } = await connected({ SLUICE_VAULT_PATHS: "secret/sluice,kv" });
    const error = await failure(resolve(`x${reference}y`));
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(reference);
    expect(String(error)).toContain(why);
  });

  test("what the token may not read: FORBIDDEN", async () => {
    const { auth } = await vault.call("POST", "auth/token/create", { policies: ["reader"], ttl: "1h" });
    const { resolve, told } = await connected({ SLUICE_VAULT_TOKEN: auth.client_token, SLUICE_VAULT_PATHS: "secret" });
    await put("sluice/here", { a: "1" });
    expect(await resolve("${vault:secret/sluice/here#a}")).toBe("1");
    const error = await failure(resolve("${vault:secret/other#a}"));
    expect(error).toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringContaining("Vault denies access to secret/"),
    });
    expect(told).toEqual([auth.client_token]);
  });

  test("a token that Vault does not know: FORBIDDEN, and one in a file that is not there: UNAUTHORIZED", async () => {
    const unknown = await connected({ SLUICE_VAULT_TOKEN: "no-such-token" });
    expect(await failure(unknown.resolve("${vault:secret/sluice/a#a}"))).toMatchObject({ code: "FORBIDDEN" });
    const file = join(tempDir(), "none");
    const missing = await connected({ SLUICE_VAULT_TOKEN: "", SLUICE_VAULT_TOKEN_FILE: file });
    expect(await failure(missing.resolve("${vault:secret/sluice/a#a}"))).toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("cannot be read from"),
    });
  });
});

test("a token file that is replaced is read again once the former token is denied", async () => {
  await put("sluice/here", { a: "1" });
  const make = async () => (await vault.call("POST", "auth/token/create", { policies: ["reader"] })).auth.client_token;
  const [first, second] = [await make(), await make()];
  const file = join(tempDir(), "token");
  writeFileSync(file, `${first}\n`);
  const { resolve } = await connected({ SLUICE_VAULT_TOKEN: "", SLUICE_VAULT_TOKEN_FILE: file });
  expect(await resolve("${vault:secret/sluice/here#a}")).toBe("1");
  writeFileSync(file, `${second}\n`);
  await vault.call("POST", "auth/token/revoke", { token: first });
  await put("sluice/here", { a: "2" });
  await expect.poll(() => resolve("${vault:secret/sluice/here#a}")).toBe("2");
});

test("an AppRole logs in, keeps its token alive, and logs in anew when it is gone", async () => {
  await put("sluice/role", { a: "1" });
  await vault.call("POST", "auth/approle/role/etl", { policies: ["reader"], token_ttl: "2s", token_max_ttl: "10m" });
  const { data } = await vault.call("GET", "auth/approle/role/etl/role-id");
  const made = await vault.call("POST", "auth/approle/role/etl/secret-id", {});
  const id = { SLUICE_VAULT_ROLE_ID: data.role_id, SLUICE_VAULT_SECRET_ID: made.data.secret_id };
  const { resolve, told } = await connected(id);
  expect(await resolve("${vault:secret/sluice/role#a}")).toBe("1");
  const token = told.at(-1) as string;
  // Past its first time to live it is the same token still.
  const accessor = async () => (await vault.call("POST", "auth/token/lookup", { token })).data;
  const { expire_time: first } = await accessor();
  await expect.poll(async () => (await accessor()).expire_time > first).toBe(true);
  await vault.call("POST", "auth/token/revoke", { token });
  await put("sluice/role", { a: "2" });
  await expect.poll(() => resolve("${vault:secret/sluice/role#a}")).toBe("2");
  expect(new Set(told).size).toBe(3);
  const wrong = await connected({ ...id, SLUICE_VAULT_SECRET_ID: "wrong" });
  expect(await failure(wrong.resolve("${vault:secret/sluice/role#a}"))).toMatchObject({
    code: "UNAUTHORIZED",
    message: expect.stringMatching(/Vault refuses the login by approle: ./),
  });
});

test("a service account's token logs in as Kubernetes asks", async () => {
  await put("sluice/pod", { a: "1" });
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" });
  await vault.call("POST", "auth/jwt/config", { jwt_validation_pubkeys: [pem] });
  const role = { role_type: "jwt", user_claim: "sub", bound_audiences: ["vault"], policies: ["reader"] };
  await vault.call("POST", "auth/jwt/role/sluice", role);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const head = `${part({ alg: "RS256", typ: "JWT" })}.${part({ sub: "sluice", aud: "vault", exp, iat: exp - 3600 })}`;
  const tokenFile = join(tempDir(), "token");
  writeFileSync(tokenFile, `${head}.${createSign("RSA-SHA256").update(head).sign(privateKey).toString("base64url")}\n`);
  const { resolve } = await connected({
    SLUICE_VAULT_KUBERNETES_ROLE: "sluice",
    SLUICE_VAULT_KUBERNETES_TOKEN_FILE: tokenFile,
    SLUICE_VAULT_AUTH_MOUNT: "jwt",
  });
  expect(await resolve("${vault:secret/sluice/pod#a}")).toBe("1");
});

test("a certificate is checked against SLUICE_VAULT_CACERT, whatever Vault's own tools are told", async () => {
  await put("sluice/here", { a: "1" });
  const server = createServer(localhostTls, (request, response) => {
    const { method, url, headers } = request;
    const onward = httpRequest(vault.url + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = `https://localhost:${(server.address() as AddressInfo).port}`;
  const file = join(tempDir(), "ca.pem");
  writeFileSync(file, localhostTls.cert);
  process.env.VAULT_SKIP_VERIFY = "1";
  onTestFinished(() => void delete process.env.VAULT_SKIP_VERIFY);
  const reference = "${vault:secret/sluice/here#a}";
  const right = await connected({ SLUICE_VAULT_ADDR: address, SLUICE_VAULT_CACERT: file });
  expect(await right.resolve(reference)).toBe("1");
  const wrong = await connected({ SLUICE_VAULT_ADDR: address });
  const error = await failure(wrong.resolve(reference));
  expect(error).toBeInstanceOf(NotReadyError);
  expect(String(error)).toMatch(/does not answer \(.*(SELF_SIGNED|SIGNATURE|VERIFY|ISSUER|CERT)/);
});

test("a Vault that is sealed or gone: what is known is used on, the rest waits, and all is well when it is back", async () => {
  const folder = tempDir();
  const first = await startVault(folder);
  const port = Number(new URL(first.url).port);
  await first.call("POST", "secret/data/sluice/known", { data: { a: "known" } });
  const { resolve } = await connected({}, first);
  const [known, unknown] = ["${vault:secret/sluice/known#a}", "${vault:secret/sluice/unknown#a}"];
  expect(await resolve(known)).toBe("known");
  await first.call("PUT", "sys/seal");
  const away = async (why: RegExp) => {
    const error = await failure(resolve(unknown));
    expect(error).toBeInstanceOf(NotReadyError);
    expect(error).toMatchObject({ code: "UNAVAILABLE", message: expect.stringMatching(why) });
  };
  await away(/\$\{vault:secret\/sluice\/unknown#a\} cannot be resolved: Vault at http:\S+ is sealed$/);
  expect(await resolve(known)).toBe("known");
  await first.stop();
  await away(/does not answer \(ECONNREFUSED\)$/);
  expect(await resolve(known)).toBe("known");
  const second = await startVault(folder, { port });
  onTestFinished(() => second.stop());
  await second.call("POST", "secret/data/sluice/known", { data: { a: "anew" } });
  await expect.poll(() => resolve(known)).toBe("anew");
});

// Two seconds may pass before it is asked for again, on a machine that is slow.
test("a secret with a lease is renewed while Vault lets it, and read anew when it ends", { retry: 5 }, async () => {
  const leased = await startVault(tempDir(), { args: ["-dev-leased-kv"] });
  onTestFinished(() => leased.stop());
  await leased.call("POST", "secret/sluice/db", { password: "one", ttl: "2s" });
  await leased.call("POST", "sys/mounts/secret/tune", { max_lease_ttl: "5s" });
  const { resolve } = await connected({}, leased);
  const reference = "${vault:secret/sluice/db#password}";
  expect(await resolve(reference)).toBe("one");
  await leased.call("POST", "secret/sluice/db", { password: "two", ttl: "2s" });
  const began = Date.now();
  await expect.poll(() => resolve(reference), { interval: 100 }).toBe("two");
  // Past its first lease: that one was renewed, and not read again, until its longest life.
  expect(Date.now() - began).toBeGreaterThan(2_500);
});

test("data keys are wrapped by Vault's transit key, which rotates there, and never leave it for that", async () => {
  await vault.call("POST", "transit/keys/etl", {});
  const { key } = await connected({ SLUICE_VAULT_TRANSIT_KEY: "etl" });
  const local = localKeys([Buffer.alloc(32, 1)]);
  const sealer = createSealer(keyring(key!, [local]));
  const [id, secrets] = ["0199f6a0-0000-7000-8000-000000000001", { password: "sealed by vault" }];
  const sealed = await sealer.seal(id, secrets);
  expect(sealer.keyVersion(sealed)).toBe("vault:transit/etl:v1");
  await vault.call("POST", "transit/keys/etl/rotate", {});
  expect(await sealer.current()).toBe("vault:transit/etl:v2");
  const rewrapped = await sealer.rewrap(id, sealed);
  expect(sealer.keyVersion(rewrapped)).toBe("vault:transit/etl:v2");
  for (const each of [sealed, rewrapped]) expect(await sealer.unseal(id, each)).toEqual(secrets);
  await expect(sealer.unseal(id.replace(/1$/, "2"), rewrapped)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  // From a key file to Vault.
  const before = await createSealer(local).seal(id, secrets);
  expect(await sealer.unseal(id, await sealer.rewrap(id, before))).toEqual(secrets);
  const none = await connected({ SLUICE_VAULT_TRANSIT_KEY: "nowhere/etl" });
  await expect(none.key!.wrap(new Uint8Array(32), id)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test.each([
  [{ SLUICE_VAULT_ADDR: "vault:8200" }, /SLUICE_VAULT_ADDR is no address/],
  [{ SLUICE_VAULT_ADDR: "http://127.0.0.1:1", SLUICE_VAULT_PATHS: "a,,b" }, /SLUICE_VAULT_PATHS has an empty path/],
  [
    { SLUICE_VAULT_ADDR: "http://127.0.0.1:1", SLUICE_VAULT_CACERT: "/nonexistent" },
    /SLUICE_VAULT_CACERT cannot be read/,
  ],
  [{ SLUICE_VAULT_TRANSIT_KEY: "etl" }, /SLUICE_VAULT_TRANSIT_KEY needs SLUICE_VAULT_ADDR/],
])("a wrong setting is named: %j", async (env, why) => {
  const options = { env, clock: realClock, logger: noLogger, secret: () => {} };
  await expect(connectVault(options)).rejects.toThrow(why);
});
