import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, expect, test, vi } from "vitest";
import { sharedNode } from "../support/node.ts";
import { githubSignature, hookInto, linesOf, send, sendOnce, standardSignature } from "./support.ts";

const patience = { timeout: 90_000, interval: 50 };
vi.setConfig({ testTimeout: 240_000 });
const node = sharedNode();
const secret = Buffer.from("a key of 24 bytes, no more").toString("base64");

beforeAll(async () => {
  await node().api.connector("files", "file", { path: node().files });
}, 240_000);

/** Until the owner takes what is sent: its run begins with the integration. */
async function ready(name: string, ask: () => Promise<{ status: number }>): Promise<void> {
  await expect.poll(async () => (await ask()).status, { ...patience, message: name }).toBeLessThan(300);
}
const landed = (name: string, count: number) =>
  expect.poll(() => linesOf(node(), name).length, patience).toBeGreaterThanOrEqual(count);

test("what is signed is answered 202, lands as the body stood, and once only however often it comes", async () => {
  await hookInto(
    node(),
    "orders",
    { scheme: "standard-webhooks", secrets: [`whsec_${secret}`] },
    {
      mapping_spec: [
        { source: "$", destination: "record" },
        { source: "$", destination: "headers", transform: "meta.headers" },
        { source: "$", destination: "request", transform: "meta.request" },
      ],
    },
  );
  const body = '{\n  "id": 12345678901234567890, "text": "ü"\n}';
  const signed = { ...standardSignature(secret, "msg_1", body), "x-event": "made", "x-request-id": "asked-1" };
  await ready("orders", () => send(node(), "orders", body, signed));
  const again = await send(node(), "orders", body, signed);
  expect(again).toMatchObject({ status: 200, text: '{"status":"duplicate"}' });
  // Signed anew, it is the same message still.
  const anew = await send(node(), "orders", body, standardSignature(secret, "msg_1", body, Date.now() - 60_000));
  expect(anew.status).toBe(200);
  const other = standardSignature(secret, "msg_2", '[{"n":1},{"n":2}]');
  expect(await send(node(), "orders", '[{"n":1},{"n":2}]', other)).toMatchObject({
    status: 202,
    text: '{"status":"accepted"}',
  });
  await landed("orders", 3);
  const [first, second, third, ...more] = linesOf<{ record: unknown; headers: object; request: object }>(
    node(),
    "orders",
  );
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    record: { text: "ü" },
    headers: { "webhook-id": "msg_1", "x-event": "made", "content-type": "application/json" },
    request: { id: "asked-1" },
  });
  expect(JSON.stringify(first)).not.toMatch(/signature/);
  expect([second, third]).toMatchObject([{ record: { n: 1 } }, { record: { n: 2 } }]);
});

test("a request that does not prove itself is answered 401, and nothing is kept of it", async () => {
  await hookInto(node(), "signed", { scheme: "github", secrets: ["first secret", "second secret"] });
  const body = '{"a": 1}';
  await ready("signed", () => send(node(), "signed", '{"ready":0}', githubSignature("first secret", '{"ready":0}')));
  const right = githubSignature("second secret", body);
  for (const headers of [
    {},
    githubSignature("third secret", body),
    // Over the body as it would be written anew.
    githubSignature("first secret", JSON.stringify(JSON.parse(body))),
    { "x-hub-signature-256": `${right["x-hub-signature-256"]}, ${githubSignature("x", body)["x-hub-signature-256"]}` },
    { authorization: `Bearer ${node().token}` },
  ] as Record<string, string>[]) {
    const answer = await send(node(), "signed", body, headers);
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
  }
  expect((await send(node(), "signed", body, right)).status).toBe(202);
  await landed("signed", 2);
  expect(linesOf(node(), "signed").at(-1)).toEqual({ a: 1 });
});

test("secrets in plain text are kept, and shown nowhere; *** keeps them, and a rotation is taken up", async () => {
  const { api } = node();
  const id = await hookInto(node(), "rotated", { scheme: "github", secrets: ["old-secret-text"] });
  const shown = await api.call<{ trigger: { auth: object } }>("GET", `/v1/integrations/${id}`);
  expect(shown.trigger.auth).toEqual({ scheme: "github", secrets: ["***"] });
  const signed = (key: string, body: string) => send(node(), "rotated", body, githubSignature(key, body));
  await ready("rotated", () => signed("old-secret-text", "1"));
  const body = (secrets: string[]) => ({
    name: "rotated",
    destination: { connector: "files", stream: "rotated.ndjson" },
    trigger: { type: "webhook", auth: { scheme: "github", secrets } },
  });
  await api.call("PUT", `/v1/integrations/${id}`, body(["***", "new-secret-text"]));
  await ready("rotated", () => signed("new-secret-text", "2"));
  expect((await signed("old-secret-text", "3")).status).toBe(202);
  // With what is written out again nothing changes.
  const plan = await api.call<{ changes: { action: string }[] }>("POST", "/v1/apply?dry_run=true", {
    integrations: [body(["old-secret-text", "new-secret-text"])],
  });
  expect(plan.changes.map(({ action }) => action)).toEqual(["unchanged"]);
  const changed = await api.call<object>("POST", "/v1/apply?dry_run=true", {
    integrations: [body(["third-secret-text"])],
  });
  expect(JSON.stringify(changed)).not.toMatch(/secret-text|sealed:/);
  await api.call("PUT", `/v1/integrations/${id}`, body(["new-secret-text"]));
  await expect.poll(async () => (await signed("old-secret-text", "4")).status, patience).toBe(401);
  const stray = await api.request<{ errors: object[] }>("PUT", `/v1/integrations/${id}`, body(["a", "b", "***"]));
  expect(stray).toMatchObject({ status: 400, body: { errors: [{ path: "trigger.auth.secrets[2]" }] } });
});

test("forms, texts, bytes and CloudEvents of each mode are records; what is none of them is answered 400", async () => {
  await hookInto(node(), "formats", { scheme: "none" });
  const post = (body: string | Uint8Array, headers: Record<string, string>) => send(node(), "formats", body, headers);
  await ready("formats", () => post('{"ready":0}', {}));
  const event = { specversion: "1.0", id: "e1", source: "/shop", type: "made", data: { n: 1 } };
  const structured = { "content-type": "application/cloudevents+json" };
  const batch = { "content-type": "application/cloudevents-batch+json; charset=utf-8" };
  const taken = [
    await post("a=1&b=x%20y&a=2", { "content-type": "application/x-www-form-urlencoded" }),
    await post("grüße", { "content-type": "text/plain" }),
    await post(new Uint8Array([0, 255, 10]), { "content-type": "application/octet-stream" }),
    await post(JSON.stringify(event), structured),
    await post(JSON.stringify([event, { ...event, id: "e2" }, { ...event, id: "e3" }]), batch),
    await post('{"n":4}', { "ce-specversion": "1.0", "ce-id": "e4", "ce-source": "/shop", "ce-type": "made" }),
  ];
  expect(taken.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 202]);
  expect((await post(JSON.stringify(event), structured)).status).toBe(200);
  await landed("formats", 8);
  const records = linesOf(node(), "formats").slice(-7);
  expect(records.slice(0, 3)).toEqual([
    { a: ["1", "2"], b: "x y" },
    { content_type: "text/plain", body: "grüße" },
    { content_type: "application/octet-stream", body_base64: "AP8K" },
  ]);
  expect(records.slice(3)).toEqual([
    event,
    { ...event, id: "e2" },
    { ...event, id: "e3" },
    { ...event, id: "e4", datacontenttype: "application/json", data: { n: 4 } },
  ]);
  for (const [body, headers] of [
    ["{", {}],
    ["", {}],
    ['{"a":1,"a":2}', {}],
    [new Uint8Array([0x22, 0xff, 0x22]), {}],
    ["[".repeat(100_000), {}],
    [JSON.stringify({ ...event, id: "" }), structured],
    ["{}", batch],
  ] as const) {
    const answer = await post(body, headers as Record<string, string>);
    expect(answer.status, String(body).slice(0, 40)).toBe(400);
    expect(answer.text).not.toMatch(/\.ts/);
  }
  expect((await post("x".repeat(9 * 1024 * 1024), {})).status).toBe(413);
  // Announced, it is refused before it is sent.
  const { port, host } = new URL(node().url);
  const announced = connect(Number(port), "127.0.0.1");
  announced.write(`POST /v1/hooks/formats HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 104857600\r\n\r\n[`);
  const [first] = (await once(announced, "data")) as [Buffer];
  announced.destroy();
  expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
});

test("providers' questions are answered: Slack, GitHub, Meta and CloudEvents", async () => {
  const metaId = await hookInto(node(), "meta", {
    scheme: "github",
    secrets: ["app-secret"],
    verify_token: "verify-me",
  });
  await hookInto(node(), "open", { scheme: "none" });
  const ping = { ...githubSignature("app-secret", '{"zen":"x"}'), "x-github-event": "ping" };
  expect(await send(node(), "meta", '{"zen":"x"}', ping)).toMatchObject({ status: 200, text: "pong" });
  const query = (token: string) => `meta?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`;
  const confirmed = await send(node(), query("verify-me"), "", {}, "GET");
  expect(confirmed).toMatchObject({ status: 200, text: "1158201444" });
  expect(confirmed.headers.get("content-type")).toMatch(/^text\/plain/);
  for (const token of ["verify-you", "app-secret"])
    expect((await send(node(), query(token), "", {}, "GET")).status).toBe(401);
  const { api } = node();
  type Shown = { trigger: { auth: { secrets: string[]; verify_token: string } } };
  const { id, ...shown } = await api.call<Shown & { id: string }>("GET", `/v1/integrations/${metaId}`);
  expect(shown.trigger.auth).toMatchObject({ secrets: ["***"], verify_token: "***" });
  // Given back, *** keeps it, wherever the secrets before it went.
  const auth = { scheme: "github", secrets: ["other-secret", "***"], verify_token: "***" };
  const body = { name: "meta", destination: { connector: "files", stream: "meta.ndjson" } };
  const put = (auth: object) =>
    api.request("PUT", `/v1/integrations/${id}`, { ...body, trigger: { type: "webhook", auth } });
  expect((await put(auth)).status).toBe(400);
  expect((await put({ ...auth, secrets: ["other-secret"] })).status).toBe(200);
  const again = async () => (await send(node(), query("verify-me"), "", {}, "GET")).status;
  await expect.poll(again, patience).toBe(200);
  expect((await send(node(), "meta", "", {}, "GET")).status).toBe(400);
  const asked = await send(node(), "open", "", { "webhook-request-origin": "events.example.com" }, "OPTIONS");
  expect(asked.status).toBe(200);
  expect(asked.headers.get("webhook-allowed-origin")).toBe("events.example.com");
  expect(asked.headers.get("allow")).toMatch(/POST/);
});

test("who sends to no integration that takes hooks is answered 404, to one that is disabled 503 with Retry-After", async () => {
  const { api } = node();
  await api.connector("numbers", "generator", { count: 1 });
  await api.integration({
    name: "read",
    source: { connector: "numbers", stream: "numbers" },
    destination: { connector: "files", stream: "read.ndjson" },
  });
  for (const name of ["nothing-there", "read", "No-Name", "%00", "0190a0a0-0000-7000-8000-000000000000"]) {
    expect((await send(node(), name, "{}")).status).toBe(404);
  }
  const id = await hookInto(node(), "paused", { scheme: "bearer", secrets: ["let me in"] });
  const post = (key: string) => send(node(), "paused", "{}", { authorization: `Bearer ${key}` });
  await expect.poll(async () => (await post("let-me-in")).status, patience).toBe(401);
  await api.call("PUT", `/v1/integrations/${id}/disable`);
  const other = await hookInto(node(), "paused-too", { scheme: "none" });
  await api.call("PUT", `/v1/integrations/${other}/disable`);
  const by = async (name: string) => {
    const { status, headers } = await send(node(), name, "{}");
    return [status, headers.get("retry-after")];
  };
  await expect.poll(() => by("paused-too"), patience).toEqual([503, "60"]);
  expect((await by(other))[0]).toBe(503);
  expect((await send(node(), "paused", "", {}, "PUT")).status).toBe(401);
});

test("a destination that hangs does not stop what is sent, and its flood does not slow another's", async () => {
  await node().api.connector("hangs", "blackhole", { hang_after: 0 });
  await hookInto(node(), "flooded", { scheme: "none" }, { destination: { connector: "hangs", stream: "x" } });
  await hookInto(node(), "quiet", { scheme: "none" });
  for (const name of ["flooded", "quiet"]) await ready(name, () => send(node(), name, '{"ready":0}'));
  const large = JSON.stringify({ fill: "x".repeat(200_000) });
  let stop = false;
  const answers = new Map<number, number>();
  const flood = Array.from({ length: 16 }, async () => {
    while (!stop) {
      const { status } = await sendOnce(node(), "flooded", large);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  });
  try {
    await expect.poll(() => answers.get(202) ?? 0, patience).toBeGreaterThan(50);
    for (let n = 0; n < 20; n++) expect((await send(node(), "quiet", `{"n":${n}}`)).status).toBe(202);
  } finally {
    stop = true;
    await Promise.all(flood);
  }
  for (const status of answers.keys()) expect([202, 503]).toContain(status);
  await landed("quiet", 21);
});
