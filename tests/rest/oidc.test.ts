import { createHmac, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { SignJWT } from "jose";
import { Events, OAuth2Server } from "oauth2-mock-server";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { oidcSettings } from "../../cli/gateway-settings.ts";
import { oidcAuthenticator } from "../../gateway/auth/index.ts";
import { startApi } from "./support.ts";

const server = new OAuth2Server();
let issuer: string;

beforeAll(async () => {
  await server.issuer.keys.generate("ES256");
  await server.start(0, "127.0.0.1");
  issuer = server.issuer.url!;
});
afterAll(() => server.stop());

const settings = (more: NodeJS.ProcessEnv = {}) =>
  oidcSettings({ SLUICE_OIDC_ISSUER: issuer, SLUICE_OIDC_AUDIENCE: "sluice", ...more })!;

/** By the issuer's own key unless it is told another: a token with these claims besides the usual ones. */
const tokenOf = (claims: Record<string, unknown> = {}, kid?: string) =>
  server.issuer.buildToken({
    ...(kid !== undefined && { kid }),
    scopesOrTransform: (_, payload) =>
      void Object.assign(payload, { sub: "ann", aud: "sluice", roles: ["viewer"], ...claims }),
  });

async function api(env: NodeJS.ProcessEnv = {}, cooldownMs = 0) {
  const started = await startApi({ issuer: oidcAuthenticator(settings(env), cooldownMs) });
  const as = (token: string) => (method: string, url: string, body?: unknown) =>
    started.call(method, url, body, { authorization: `Bearer ${token}` });
  return { ...started, as };
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

test("whoever signs in may what the token's role says, and the audit log names the subject", async () => {
  const { as, call } = await api();
  const viewer = as(await tokenOf());
  expect((await viewer("GET", "/v1/connectors")).status).toBe(200);
  const connector = { name: "hole", type: "blackhole" };
  expect(await viewer("POST", "/v1/connectors", connector)).toMatchObject({
    status: 403,
    body: { code: "FORBIDDEN", detail: expect.stringContaining("oidc:ann may not do this: it lacks connectors:write") },
  });
  // Of several roles the one that may most.
  const editor = as(await tokenOf({ sub: "joe", roles: ["viewer", "editor", "nobody"] }));
  expect((await editor("POST", "/v1/connectors", connector)).status).toBe(201);
  const { items } = (await call("GET", "/v1/audit-log")).body;
  expect(items).toMatchObject([{ actor: "oidc:joe", action: "connector.created", resource_name: "hole" }]);
  for (const name of ["oidc:joe", "data folder"]) {
    const likeIt = await call("POST", "/v1/api-keys", { name, role: "viewer" });
    expect(likeIt.body.errors).toEqual([{ path: "name", message: expect.any(String) }]);
  }
  // A token without a role is known, and may nothing.
  expect((await as(await tokenOf({ roles: undefined }))("GET", "/v1/connectors")).status).toBe(403);
  // A text is one role, whatever words are in it.
  for (const roles of ["not admin", "admin viewer", ""])
    expect((await as(await tokenOf({ roles }))("GET", "/v1/connectors")).status).toBe(403);
  const root = as(await tokenOf({ roles: "admin" }));
  const made = await root("POST", "/v1/api-keys", { name: "for long", role: "viewer" });
  expect(made).toMatchObject({ status: 201, body: { created_by: "oidc:ann", expires_at: null } });
});

test("a token that is not in order is refused with a problem that says why, and so does WWW-Authenticate", async () => {
  const { app } = await api();
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const good = await tokenOf();
  const [head, claims, signature] = good.split(".") as [string, string, string];
  const { kid } = JSON.parse(Buffer.from(head, "base64url").toString());
  const [published] = server.issuer.keys.toJSON();
  const hmac = (header: object, key: string) => {
    const text = `${part(header)}.${claims}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };
  const signed = (header: { alg: string; kid?: string }) =>
    new SignJWT({ iss: issuer, aud: "sluice", sub: "eve", roles: ["admin"], exp: now() + 600 })
      .setProtectedHeader(header)
      .sign(other.privateKey);
  const admin = part({ ...JSON.parse(Buffer.from(claims, "base64url").toString()), roles: ["admin"] });
  const refusals: [string, string][] = [
    [await tokenOf({ exp: now() - 60 }), "it has expired"],
    [await tokenOf({ exp: undefined }), "it has no time of expiry"],
    [await tokenOf({ nbf: now() + 600 }), "it is not valid yet"],
    [await tokenOf({ iss: "https://login.example.com" }), "it is of another issuer"],
    [await tokenOf({ iss: `${issuer}/` }), "it is of another issuer"],
    [await tokenOf({ aud: "billing" }), "it is for another audience"],
    [await tokenOf({ aud: undefined }), "it is for another audience"],
    [await tokenOf({ sub: undefined }), "it has no subject"],
    [await tokenOf({ sub: "a\u0000b" }), "its sub is no subject"],
    [`${part({ alg: "none" })}.${claims}.`, "its algorithm is none of those that are taken"],
    [`${part({ alg: "nOnE", kid })}.${claims}.`, "its algorithm is none of those that are taken"],
    // The public key, which everybody knows, as if it were a shared secret.
    [hmac({ alg: "HS256", kid }, JSON.stringify(published)), "its algorithm is none of those that are taken"],
    [`${head}.${admin}.${signature}`, "its signature does not fit"],
    [`${head}.${claims}.${part({})}`, "its signature does not fit"],
    [await signed({ alg: "ES256", kid }), "its signature does not fit"],
    [await signed({ alg: "ES256", kid: "eves" }), "its issuer has no such key"],
    [`${part({})}.${claims}.${signature}`, "it is no signed JWT"],
    ["a.b.c", "it is no signed JWT"],
  ];
  for (const [token, why] of refusals) {
    const answer = await app.inject({ url: "/v1/connectors", headers: { authorization: `Bearer ${token}` } });
    expect([why, answer.statusCode]).toEqual([why, 401]);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.json()).toMatchObject({ code: "UNAUTHORIZED", detail: `the token is not taken: ${why}`, errors: [] });
    expect(answer.headers["www-authenticate"]).toBe(
      `Bearer realm="sluice", error="invalid_token", error_description="the token is not taken: ${why}"`,
    );
    expect(answer.body).not.toMatch(/jose|at .*\.[jt]s/);
  }
  // RFC 6750, section 3.1: whoever shows nothing is told no more than what to show.
  expect((await app.inject({ url: "/v1/connectors" })).headers["www-authenticate"]).toBe('Bearer realm="sluice"');
  // Clocks are a little apart.
  const headers = { authorization: `Bearer ${await tokenOf({ nbf: now() + 6 })}` };
  expect((await app.inject({ url: "/v1/connectors", headers })).statusCode).toBe(200);
});

test("groups give roles, scopes narrow them down, and a team sees what is its own alone", async () => {
  const { as, call } = await api({
    SLUICE_OIDC_ROLE_CLAIM: "realm.groups",
    SLUICE_OIDC_ROLES: "cn=ops,dc=example,dc=com=operator; builders = editor",
    SLUICE_OIDC_SCOPE_CLAIM: "scope",
    SLUICE_OIDC_OWNER_CLAIM: "https://example.com/team",
  });
  const of = async (groups: string[], scope: string, team: unknown) =>
    as(await tokenOf({ realm: { groups }, scope, "https://example.com/team": team }));
  const connector = { name: "hole", type: "blackhole" };
  const all = "openid connectors:read connectors:write";
  const sales = await of(["builders"], all, "sales");
  expect((await sales("POST", "/v1/connectors", connector)).body).toMatchObject({ owner: "sales" });
  expect((await sales("GET", "/v1/integrations")).status).toBe(403);
  const finance = await of(["cn=ops,dc=example,dc=com"], all, "finance");
  expect((await finance("GET", "/v1/connectors")).body.items).toEqual([]);
  expect((await finance("POST", "/v1/connectors", connector)).status).toBe(403);
  // With groups in use, a role's own name is none.
  expect((await (await of(["admin"], all, "sales"))("GET", "/v1/connectors")).status).toBe(403);
  const everything = await of(["builders"], all, "*");
  expect((await everything("GET", "/v1/connectors")).body.items).toHaveLength(1);
  // Never everything for want of a team.
  for (const team of [undefined, "", "Sales!", ["sales", "finance"], null, 7]) {
    const answer = await (await of(["builders"], all, team))("GET", "/v1/connectors");
    expect(answer).toMatchObject({ status: 403, body: { detail: expect.stringContaining("which team") } });
  }
  expect((await call("GET", "/v1/connectors")).body.items).toHaveLength(1);
});

test("a key that the issuer has made since is looked up, once a while", async () => {
  const asked: string[] = [];
  const note = () => void asked.push("keys");
  server.service.on(Events.BeforeWellKnownOpenIdConfiguration, note);
  onTestFinished(() => void server.service.off(Events.BeforeWellKnownOpenIdConfiguration, note));
  const eager = await api();
  const slow = await api({}, 3_600_000);
  const status = async (of: typeof eager, token: string) => (await of.as(token)("GET", "/v1/connectors")).status;
  const first = await tokenOf();
  expect([await status(eager, first), await status(slow, first)]).toEqual([200, 200]);
  const { kid } = await server.issuer.keys.generate("RS256");
  const second = await tokenOf({}, kid);
  // The first of them asks anew; the other has asked a moment ago, and waits until it may again.
  expect([await status(eager, second), await status(slow, second)]).toEqual([200, 401]);
  expect(await status(eager, first)).toBe(200);
  // The address of the keys does not change with them.
  expect(asked).toHaveLength(2);
});

test("while the issuer is away its tokens are served by what is known of it, and else 503, not 401", async () => {
  // A port on which nobody answers.
  const nobody = createServer().listen(0, "127.0.0.1");
  await once(nobody, "listening");
  const { port } = nobody.address() as { port: number };
  nobody.close();
  await once(nobody, "close");
  const gone = await startApi({
    issuer: oidcAuthenticator({ ...settings(), issuer: `http://127.0.0.1:${port}` }),
  });
  const token = await tokenOf();
  for (const _ of ["first", "second, a moment later"]) {
    const answer = await gone.call("GET", "/v1/connectors", undefined, { authorization: `Bearer ${token}` });
    expect(answer).toMatchObject({ status: 503, body: { code: "UNAVAILABLE" } });
    expect(answer.headers["www-authenticate"]).toBeUndefined();
  }
  // API keys need no issuer.
  expect((await gone.call("GET", "/v1/connectors")).status).toBe(200);

  const leaving = new OAuth2Server();
  await leaving.issuer.keys.generate("ES256");
  await leaving.start(0, "127.0.0.1");
  const left = { ...settings(), issuer: leaving.issuer.url! };
  const known = await startApi({ issuer: oidcAuthenticator(left, 0) });
  const claims = { sub: "ann", aud: "sluice", roles: "viewer" };
  const theirs = await leaving.issuer.buildToken({
    scopesOrTransform: (_, payload) => void Object.assign(payload, claims),
  });
  const ask = async () =>
    (await known.call("GET", "/v1/connectors", undefined, { authorization: `Bearer ${theirs}` })).status;
  expect(await ask()).toBe(200);
  await leaving.stop();
  expect(await ask()).toBe(200);
});

test("settings that leave a hole are refused by name", () => {
  const of = (env: NodeJS.ProcessEnv) => () =>
    oidcSettings({ SLUICE_OIDC_ISSUER: "https://login.example.com", ...env });
  expect(oidcSettings({})).toBeUndefined();
  expect(of({})).toThrow(/SLUICE_OIDC_AUDIENCE is needed/);
  expect(of({ SLUICE_OIDC_ISSUER: "http://login.example.com" })).toThrow(/SLUICE_OIDC_ISSUER .* https/);
  expect(of({ SLUICE_OIDC_ISSUER: "login" })).toThrow(/SLUICE_OIDC_ISSUER/);
  for (const roles of ["ops", "ops=root", "=admin", "a=viewer;b=", "a=toString"]) {
    expect(of({ SLUICE_OIDC_AUDIENCE: "sluice", SLUICE_OIDC_ROLES: roles })).toThrow(/SLUICE_OIDC_ROLES/);
  }
});
