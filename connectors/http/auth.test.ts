import { Events, OAuth2Server } from "oauth2-mock-server";
import { expect, onTestFinished, test } from "vitest";
import {
  batchOf,
  connect,
  openDestination,
  readBatches,
  recordsIn,
  serveHere,
} from "../../tests/support/http-server.ts";
import type { JsonObject } from "../sdk/index.ts";

const secret = "s3cr3t/with+odd chars";

test.each<[JsonObject, Record<string, string | undefined>]>([
  [{ type: "none" }, { authorization: undefined }],
  [
    { type: "basic", username: "u", password: "p:ä" },
    { authorization: `Basic ${Buffer.from("u:p:ä").toString("base64")}` },
  ],
  [{ type: "bearer", token: "t0ken" }, { authorization: "Bearer t0ken" }],
  [{ type: "api_key", name: "X-API-Key", value: "k" }, { "x-api-key": "k" }],
])("requests carry what %j says", async (auth, headers) => {
  const server = await serveHere(() => ({ body: [] }));
  await readBatches(connect({ base_url: server.url, auth }), "items");
  for (const [name, value] of Object.entries(headers)) expect(server.asked[0]?.headers[name]).toBe(value);
});

test("an API key may stand in the query", async () => {
  const server = await serveHere(() => ({ body: [] }));
  const auth = { type: "api_key", in: "query", name: "key", value: "a&b" };
  await readBatches(connect({ base_url: server.url, auth, streams: { items: { query: { x: 1 } } } }), "items");
  expect(server.asked[0]?.query.toString()).toBe("x=1&key=a%26b");
});

/** A real OAuth 2 server, how often it was asked for a token, and a server that takes its latest token alone. */
async function protectedServer() {
  const oauth = new OAuth2Server();
  await oauth.issuer.keys.generate("ES256");
  await oauth.start(0, "127.0.0.1");
  onTestFinished(() => oauth.stop());
  const grants: { authorization: string | undefined; body: Record<string, string> }[] = [];
  let latest = "";
  let seconds = 3600;
  oauth.service.on(Events.BeforeTokenSigning, (token) => {
    token.payload.jti = String(grants.length);
  });
  oauth.service.on(Events.BeforeResponse, (answer, request) => {
    grants.push({ authorization: request.headers.authorization, body: { ...(request.body as object) } });
    const body = answer.body as { access_token: string; expires_in: number };
    latest = body.access_token;
    body.expires_in = seconds;
  });
  const api = await serveHere(({ headers }) =>
    headers.authorization === `Bearer ${latest}` ? { body: [1] } : { status: 401, body: { message: "expired" } },
  );
  const config = {
    base_url: api.url,
    auth: {
      type: "oauth2_client_credentials",
      token_url: `${oauth.issuer.url}/token`,
      client_id: "client:1",
      client_secret: secret,
      scopes: ["a", "b"],
      params: { audience: "crm" },
    },
  };
  return {
    oauth,
    api,
    grants,
    config,
    revoke: () => {
      latest = "none";
    },
    lasts: (given: number) => {
      seconds = given;
    },
  };
}

test("OAuth 2: one token request at a time, its token kept and shared, also by other connectors alike", async () => {
  const { api, grants, config } = await protectedServer();
  const [one, two] = [connect(config), connect(config)];
  const reads = [one, one, two, two].map((connector) => readBatches(connector, "items"));
  for (const batches of await Promise.all(reads)) expect(recordsIn(batches)).toEqual([1]);
  await readBatches(one, "items");
  // Connectors are opened for each run: the next one goes on with the token.
  await Promise.all([one.close(), two.close()]);
  await readBatches(connect(config), "items");
  expect(grants).toEqual([
    {
      authorization: `Basic ${Buffer.from("client%3A1:s3cr3t%2Fwith%2Bodd+chars").toString("base64")}`,
      body: { grant_type: "client_credentials", scope: "a b", audience: "crm" },
    },
  ]);
  expect(api.asked).toHaveLength(6);
});

test("OAuth 2: all who wait for a token that is refused hear of one request", async () => {
  const { grants, config, oauth } = await protectedServer();
  oauth.service.on(Events.BeforeResponse, (answer: { statusCode: number; body: unknown }) => {
    answer.statusCode = 500;
    answer.body = { error: "server_error" };
  });
  const connector = connect(config);
  const reads = Array.from({ length: 20 }, () => connector.check(new AbortController().signal).catch(() => "refused"));
  await Promise.all(reads);
  expect(grants.length).toBeLessThanOrEqual(2);
});

test("OAuth 2: the client's credentials may stand in the body", async () => {
  const { grants, config } = await protectedServer();
  await readBatches(connect({ ...config, auth: { ...config.auth, client_auth: "body" } }), "items");
  expect(grants[0]?.authorization).toBeUndefined();
  expect(grants[0]?.body).toMatchObject({ client_id: "client:1", client_secret: secret });
});

test("OAuth 2: a 401 takes a new token once and tries once more, for all who were answered so", async () => {
  const { api, grants, config, revoke } = await protectedServer();
  const connector = connect(config);
  await readBatches(connector, "items");
  revoke();
  const reads = [1, 2, 3].map(() => readBatches(connector, "items"));
  for (const batches of await Promise.all(reads)) expect(recordsIn(batches)).toEqual([1]);
  expect(grants).toHaveLength(2);
  expect(api.asked.length).toBeLessThanOrEqual(7);
});

test("OAuth 2: a token that is about to end is not used", async () => {
  const { grants, config, lasts } = await protectedServer();
  lasts(0);
  const connector = connect(config);
  await readBatches(connector, "items");
  await readBatches(connector, "items");
  expect(grants).toHaveLength(2);
});

test("a 401 after the refresh is the destination's fault: nothing is tried a third time", async () => {
  const { grants, config, oauth, revoke } = await protectedServer();
  oauth.service.on(Events.BeforeResponse, revoke);
  const destination = await openDestination(connect(config), "items");
  await expect(destination.write(batchOf([{}]))).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    fault: "destination",
    path: "config.auth",
    message: expect.stringContaining("answered 401: expired."),
  });
  expect(grants).toHaveLength(2);
});

test("a token that is refused or cannot be asked for is the destination's fault, and no message holds a secret", async () => {
  const { config, oauth } = await protectedServer();
  const refusals: [number, object, string][] = [
    [400, { error: "invalid_client", error_description: `no ${secret} here` }, "UNAUTHORIZED"],
    [401, { error: `bad ${encodeURIComponent(secret)}` }, "UNAUTHORIZED"],
    [503, {}, "UNAVAILABLE"],
    [200, { token: "x" }, "UNAUTHORIZED"],
  ];
  for (const [statusCode, body, code] of refusals) {
    // One of its own each: a refusal is told for a moment to all who are configured alike.
    const auth = { ...config.auth, client_id: `${code} ${statusCode}` };
    oauth.service.once(Events.BeforeResponse, (answer) => {
      Object.assign(answer, { statusCode, body });
    });
    const destination = await openDestination(connect({ ...config, auth }), "items");
    const error: unknown = await destination.write(batchOf([{}])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, fault: "destination", path: expect.stringContaining("config.auth") });
    expect(String(error)).not.toContain("s3cr3t");
  }
  const auth = { ...config.auth, token_url: "http://127.0.0.1:1/token" };
  const destination = await openDestination(connect({ ...config, auth }), "items");
  await expect(destination.write(batchOf([{}]))).rejects.toMatchObject({ fault: "destination", code: "UNAVAILABLE" });
  const closed = { ...config.auth, token_url: "http://10.0.0.1/token" };
  const guarded = await openDestination(connect({ ...config, auth: closed }), "items");
  await expect(guarded.write(batchOf([{}]))).rejects.toMatchObject({ fault: "destination", code: "FORBIDDEN" });
});

test("what a server repeats of a secret does not reach a message", async () => {
  const secrets = { header: "header-secret", password: "p@ss w/rd" };
  const basic = Buffer.from(`u:${secrets.password}`).toString("base64");
  const server = await serveHere(({ headers }) => ({
    status: 400,
    body: {
      message: `you sent ${JSON.stringify(headers)} and ${secrets.password} and ${encodeURIComponent(secrets.password)}`,
    },
  }));
  const connector = connect({
    base_url: server.url,
    headers: { "X-Tenant": secrets.header },
    auth: { type: "basic", username: "u", password: secrets.password },
  });
  const destination = await openDestination(connector, "items");
  const { failed = [] } = await destination.write(batchOf([{}]));
  const error = await readBatches(connector, "items").catch((thrown: unknown) => thrown);
  for (const text of [failed[0]?.message, String(error)]) {
    expect(text).toContain("you sent");
    for (const word of [...Object.values(secrets), basic, encodeURIComponent(secrets.password)])
      expect(text).not.toContain(word);
  }
});
