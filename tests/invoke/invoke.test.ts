import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { as, ask, clientOf, failureOf } from "../grpc/support.ts";
import { githubSignature, send } from "../hooks/support.ts";

import type { Run } from "../support/api.ts";
import { sluice } from "../support/cli.ts";
import { sharedNode } from "../support/node.ts";

const node = sharedNode();
let made = 0;

/** An integration of manual runs, from one record of a generator to what is given. */
async function integration(body: object): Promise<string> {
  const { api } = node();
  const name = `sync-${++made}`;
  await api.connector(name, "generator", { count: 1, template: { id: "{{ index }}" } });
  return api.integration({ name, source: { connector: name, stream: "none" }, trigger: { type: "manual" }, ...body });
}

async function blackhole(config: object = {}): Promise<string> {
  const name = `hole-${++made}`;
  await node().api.connector(name, "blackhole", config);
  return name;
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API answers; tests say what they expect of it.
  readonly body: any;
  readonly headers: Headers;
}

async function invoke(id: string, record: unknown, query = "", headers: Record<string, string> = {}): Promise<Answer> {
  const { url, token } = node();
  const response = await fetch(`${url}/v1/integrations/${id}/invoke${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: typeof record === "string" ? record : JSON.stringify(record),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const mapping_spec = [
  { source: "$.id", destination: "id", cast: "integer" },
  { source: "$.name", destination: "name", transform: "value.toUpperCase()" },
];

test("a record is answered with what it became and what its destination said, once that has it", async () => {
  const { api, files } = node();
  await api.connector("files", "file", { path: files });
  const id = await integration({ destination: { connector: "files", stream: "out.ndjson" }, mapping_spec });
  const { status, body } = await invoke(id, { id: "7", name: "ada" });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body).toMatchObject({
    status: "delivered",
    kept: true,
    record: { id: 7, name: "ADA" },
    by_destination: {
      files: { status: "delivered", out: 1, failed: 0, records: [{ id: 7, name: "ADA" }], error: null },
    },
    failures: [],
    reason: null,
  });
  expect(readFileSync(join(files, "out.ndjson"), "utf8")).toBe('{"id":7,"name":"ADA"}\n');
  const run = await api.call<Run>("GET", `/v1/runs/${body.run_id}`);
  expect(run).toMatchObject({ trigger: "invoke", status: "running" });
  await expect
    .poll(() => api.call<Run>("GET", `/v1/runs/${body.run_id}`))
    .toMatchObject({ records_in: 1, records_out: 1, by_destination: { files: { out: 1, failed: 0 } } });
});

test("many at once are each answered with their own, in a few writes", async () => {
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" }, mapping_spec });
  const answers = await Promise.all(Array.from({ length: 150 }, (_, n) => invoke(id, { id: `${n}`, name: "x" })));
  expect(answers.map(({ body }) => body.record?.id)).toEqual(answers.map((_, n) => n));
  expect(new Set(answers.map(({ body }) => body.record_id)).size).toBe(150);
});

test("a record that is filtered, split or gathered into a window is answered as that", async () => {
  const connector = await blackhole();
  const destination = { connector, stream: "s" };
  const filter = { id: "f", type: "filter", where: "$.keep == true" };
  const filtered = await integration({ destination, pipeline_spec: { steps: [filter] } });
  expect((await invoke(filtered, { keep: false })).body).toMatchObject({
    status: "filtered",
    record: null,
    by_destination: {},
  });

  const split = { id: "s", type: "split", path: "lines" };
  const several = await integration({ destination, pipeline_spec: { steps: [split] } });
  expect((await invoke(several, { lines: [{ n: 1 }, { n: 2 }] })).body).toMatchObject({
    status: "delivered",
    record: null,
    by_destination: { [connector]: { out: 2, records: [{ n: 1 }, { n: 2 }] } },
  });

  const window = { id: "a", type: "aggregate", key: ["k"], window: { count: 2 }, measures: { n: { count: true } } };
  const gathered = await integration({ destination, pipeline_spec: { steps: [window] } });
  const first = await invoke(gathered, { k: 1 });
  expect(first.body, JSON.stringify(first.body)).toMatchObject({ status: "aggregated", record: null });
});

test("a step that fails is a problem with its rule and path, and a dead letter with the caller's request", async () => {
  const { api } = node();
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" }, mapping_spec });
  const headers = { "x-request-id": "from-the-shop-1" };
  const { status, body } = await invoke(id, { id: "no number", name: "ada" }, "", headers);
  expect(status).toBe(400);
  expect(body).toMatchObject({
    code: "VALIDATION_ERROR",
    step: "map",
    rule: 0,
    kept: true,
    request_id: "from-the-shop-1",
  });
  expect(body.detail).toContain("$.id");
  const letters = () => api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter`);
  await expect
    .poll(async () => (await letters()).items)
    .toMatchObject([
      { record_id: body.record_id, rule: 0, code: "VALIDATION_ERROR", request: { id: "from-the-shop-1" } },
    ]);
});

test("of several destinations each has its result: partial where one has it and another refuses it", async () => {
  const good = await blackhole();
  const bad = await blackhole({ fail: { ratio: 1, code: "VALIDATION_ERROR" } });
  const destinations = [good, bad].map((connector) => ({ id: connector, connector, stream: "s" }));
  const id = await integration({ destinations, mapping_spec });
  const { status, body } = await invoke(id, { id: "1", name: "ada" });
  expect([status, body.status], JSON.stringify(body)).toEqual([200, "partial"]);
  expect(body).toMatchObject({
    record: { id: 1, name: "ADA" },
    by_destination: {
      [good]: { status: "delivered", out: 1, error: null },
      [bad]: { status: "failed", failed: 1, error: { code: "VALIDATION_ERROR" } },
    },
  });
});

test("a destination that fails is tried again as ever, and answered once the record is given up", async () => {
  const connector = await blackhole({ fail: { ratio: 1, code: "UNAVAILABLE" } });
  const delivery = { retry: { max_attempts: 2, initial: "700ms" } };
  const id = await integration({ destination: { connector, stream: "s" }, delivery });
  const { status, body } = await invoke(id, { a: 1 }, "?timeout=60s");
  expect([status, body.code], JSON.stringify(body)).toEqual([502, "UNAVAILABLE"]);
  expect(body).toMatchObject({
    destination: connector,
    by_destination: { [connector]: { status: "failed", error: { code: "UNAVAILABLE", attempts: 2 } } },
  });
  // Who would have it dropped is told at the first try that is far off.
  const dropped = await invoke(id, { a: 1 }, "?timeout=60s&on_timeout=drop");
  expect(dropped.body).toMatchObject({
    code: "UNAVAILABLE",
    by_destination: { [connector]: { error: { attempts: 1 } } },
  });
});

test("a circuit that is open is 503 with Retry-After, and nothing more is taken", async () => {
  const connector = await blackhole({ fail: { ratio: 1, code: "FORBIDDEN" } });
  const id = await integration({ destination: { connector, stream: "s" } });
  // Who finds out is told at once, and the record waits with the others.
  const first = await invoke(id, { a: 1 }, "?timeout=60s");
  expect([first.status, first.body.kept], JSON.stringify(first.body)).toEqual([503, true]);
  expect(first.body.by_destination).toMatchObject({ [connector]: { status: "pending" } });
  const { status, body, headers } = await invoke(id, { a: 2 });
  expect([status, body.code]).toEqual([503, "UNAVAILABLE"]);
  expect(body.detail).toContain("circuit is open");
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  const { items } = await node().api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs`);
  await expect.poll(() => node().api.runById(items[0]!.id)).toMatchObject({ records_in: 0, records_failed: 0 });
});

async function again(id: string, query: string, key: Record<string, string>) {
  const { status, headers, body } = await invoke(id, { a: 1 }, query, key);
  return [status, headers.get("idempotent-replayed"), headers.get("content-type")?.split(";")[0], body];
}

test("what is not through in time is kept, or in doubt where it is to be dropped and a write had begun", async () => {
  const connector = await blackhole({ hang_after: 1 });
  const id = await integration({ destination: { connector, stream: "s" } });
  expect((await invoke(id, { a: 0 }, "?timeout=60s")).status).toBe(200);
  const keptKey = { "idempotency-key": `kept-${id}` };
  const kept = await invoke(id, { a: 1 }, "?timeout=2s", keptKey);
  expect([kept.status, kept.body.code, kept.body.kept], JSON.stringify(kept.body)).toEqual([504, "TIMEOUT", true]);
  expect(kept.body.detail).toContain(kept.body.record_id);
  // It is the same call: nothing is delivered again.
  expect(await again(id, "?timeout=2s", keptKey)).toEqual([504, "true", "application/problem+json", kept.body]);
  const doubtful = await integration({ destination: { connector, stream: "t" } });
  expect((await invoke(doubtful, { a: 0 }, "?timeout=60s")).status).toBe(200);
  const key = { "idempotency-key": `dropped-${id}` };
  const dropped = await invoke(doubtful, { a: 1 }, "?timeout=2s&on_timeout=drop", key);
  expect([dropped.status, dropped.body.kept]).toEqual([504, null]);
  const same = await again(doubtful, "?timeout=2s&on_timeout=drop", key);
  expect(same).toEqual([504, "true", "application/problem+json", dropped.body]);
  expect(dropped.body.by_destination).toMatchObject({ [connector]: { status: "unknown" } });
});

test("of a record that is on its way when its integration is removed nothing is promised", async () => {
  const connector = await blackhole({ hang_after: 1 });
  const id = await integration({ destination: { connector, stream: "s" } });
  expect((await invoke(id, { a: 0 }, "?timeout=60s")).status).toBe(200);
  const { api } = node();
  const asked = invoke(id, { a: 1 }, "?timeout=60s");
  const inLog = async () => (await api.request<{ lag: number }>("GET", `/v1/integrations/${id}/live`)).body.lag;
  await expect.poll(inLog, { timeout: 30_000 }).toBe(1);
  await api.request("DELETE", `/v1/integrations/${id}`);
  const { status, body } = await asked;
  expect([status, body.kept, body.detail]).toEqual([503, null, expect.stringContaining("was removed")]);
});

test("what was dropped before its write is never written", async () => {
  const { api, files } = node();
  await api.connector("slow-files", "file", { path: files });
  const delivery = { rate_limit: { per_minute: 20, burst: 1 } };
  const id = await integration({ destination: { connector: "slow-files", stream: "slow.ndjson" }, delivery });
  expect((await invoke(id, { n: 1 })).body.status).toBe("delivered");
  const key = { "idempotency-key": `dropped-${id}` };
  const { status, body } = await invoke(id, { n: 2 }, "?timeout=200ms&on_timeout=drop", key);
  expect([status, body.kept], JSON.stringify(body)).toEqual([504, false]);
  expect(body.by_destination).toMatchObject({ "slow-files": { status: "dropped" } });
  const kept = await invoke(id, { n: 3 }, "?timeout=1ms");
  expect(kept.status).toBe(504);
  expect((await invoke(id, { n: 4 }, "?timeout=60s")).body.status).toBe("delivered");
  const written = readFileSync(join(files, "slow.ndjson"), "utf8");
  expect(written).not.toContain('"n":2');
  expect(written).toContain('"n":4');
  const letters = () => api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter`);
  await expect
    .poll(async () => (await letters()).items)
    .toMatchObject([{ record_id: body.record_id, code: "TIMEOUT" }]);
  // Nothing was done under its key, which may be used again.
  const again = await invoke(id, { n: 2 }, "?timeout=200ms&on_timeout=drop", key);
  expect(again.headers.get("idempotent-replayed")).toBeNull();
});

test.each([
  ["no such integration", "019aa000-0000-7000-8000-000000000000", {}, "", {}, 404],
  ["a list", "", [1], "", {}, 400],
  ["no JSON", "", "{", "", {}, 400],
  ["nothing", "", "", "", {}, 400],
  ["another type of content", "", "a=1", "", { "content-type": "text/plain" }, 415],
  ["a time without a bound", "", {}, "?timeout=2h", {}, 400],
  ["what is to become of it in words of its own", "", {}, "?on_timeout=maybe", {}, 400],
  ["a record larger than the server takes", "", { text: "x".repeat(9 * 2 ** 20) }, "", {}, 413],
])("%s is refused", async (_what, given, record, query, headers, wanted) => {
  const id = given || (await integration({ destination: { connector: await blackhole(), stream: "s" } }));
  const { status, body } = await invoke(id, record, query, headers as Record<string, string>);
  expect([status, body.status]).toEqual([wanted, wanted]);
});

test("an answer too large for NATS is given without its records, and the record is delivered once", async () => {
  const destinations = [await blackhole(), await blackhole()].map((connector) => ({
    id: connector,
    connector,
    stream: "s",
  }));
  const id = await integration({ destinations });
  const key = { "idempotency-key": `large-${id}` };
  const large = { text: "x".repeat(3_000_000) };
  const { status, body } = await invoke(id, large, "?timeout=60s", key);
  expect([status, body.status, body.kept, body.record]).toEqual([200, "delivered", true, null]);
  for (const { id: destination } of destinations) {
    expect(body.by_destination[destination]).toMatchObject({ status: "delivered", out: 1, records: [] });
  }
  const again = await invoke(id, large, "?timeout=60s", key);
  expect([again.headers.get("idempotent-replayed"), again.body]).toEqual(["true", body]);
});

test("a disabled integration refuses with 409, and takes records again once it is enabled", async () => {
  const { api } = node();
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" } });
  expect((await invoke(id, { a: 1 })).status).toBe(200);
  await api.call("PUT", `/v1/integrations/${id}/disable`);
  expect((await invoke(id, { a: 1 })).body).toMatchObject({ status: 409, code: "CONFLICT" });
  await api.call("PUT", `/v1/integrations/${id}/enable`);
  expect((await invoke(id, { a: 1 })).status).toBe(200);
});

test("with an Idempotency-Key it is done once, however often it is asked for", async () => {
  const { api, files } = node();
  await api.connector("once-files", "file", { path: files });
  const id = await integration({ destination: { connector: "once-files", stream: "once.ndjson" } });
  const headers = { "idempotency-key": "order-1" };
  const first = await invoke(id, { n: 1 }, "", headers);
  const again = await invoke(id, { n: 1 }, "", headers);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(readFileSync(join(files, "once.ndjson"), "utf8")).toBe('{"n":1}\n');
});

test("who may only look may not invoke, and another team finds nothing there", async () => {
  const { api, url } = node();
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" } });
  const ask = async (body: object) => {
    const { key } = await api.call<{ key: string }>("POST", "/v1/api-keys", body);
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    return (await fetch(`${url}/v1/integrations/${id}/invoke`, { method: "POST", headers, body: "{}" })).status;
  };
  expect(await ask({ name: "looks", role: "viewer" })).toBe(403);
  expect(await ask({ name: "operates", role: "operator" })).toBe(200);
  expect(await ask({ name: "others", role: "operator", owner: "others" })).toBe(404);
});

test("a later version of the integration takes the next record", async () => {
  const { api } = node();
  const connector = await blackhole();
  const body = { destination: { connector, stream: "s" }, mapping_spec: [{ value: 1, destination: "v" }] };
  const id = await integration(body);
  expect((await invoke(id, {})).body.record).toEqual({ v: 1 });
  const { source, name } = await api.call<{ source: object; name: string }>("GET", `/v1/integrations/${id}`);
  const trigger = { type: "manual" };
  await api.call("PUT", `/v1/integrations/${id}`, {
    ...body,
    name,
    source,
    trigger,
    mapping_spec: [{ value: 2, destination: "v" }],
  });
  const { status, body: answer } = await invoke(id, {});
  expect([status, answer.record], JSON.stringify(answer)).toEqual([200, { v: 2 }]);
});

test("a run that is asked for goes ahead, and what is invoked meanwhile is part of it", async () => {
  const { api } = node();
  const name = `long-${++made}`;
  await api.connector(name, "generator", { count: 200, rate: 100, template: { id: "{{ index }}" } });
  const connector = await blackhole();
  const id = await api.integration({
    name,
    source: { connector: name, stream: "ids" },
    destination: { connector, stream: "s" },
    trigger: { type: "manual" },
  });
  const alone = await invoke(id, { n: 1 });
  const run = await api.run(id);
  await api.until(run, ({ records_in }) => records_in > 0);
  const within = await invoke(id, { n: 2 });
  expect([alone.status, within.status], JSON.stringify(within.body)).toEqual([200, 200]);
  expect(within.body.run_id).toBe(run);
  expect(await api.ended(run)).toMatchObject({
    status: "success",
    trigger: "manual",
    records_in: 201,
    records_out: 201,
  });
  expect(await api.ended(alone.body.run_id)).toMatchObject({ status: "success", trigger: "invoke", records_in: 1 });
  const after = await invoke(id, { n: 3 });
  expect(after.status).toBe(200);
  expect(after.body.run_id).not.toBe(run);
});

test("where hooks come in, what is invoked is part of their run", async () => {
  const { api } = node();
  const name = `hooked-${++made}`;
  const trigger = { type: "webhook", auth: { scheme: "github", secrets: ["s3cret"] } };
  const id = await api.integration({ name, destination: { connector: await blackhole(), stream: "s" }, trigger });
  const body = '{"n":1}';
  const hook = await send(node(), name, body, { ...githubSignature("s3cret", body), "x-github-delivery": name });
  expect(hook.status, hook.text).toBe(202);
  const { status, body: answer } = await invoke(id, { n: 2 }, "?timeout=60s");
  expect([status, answer.status], JSON.stringify(answer)).toEqual([200, "delivered"]);
  await expect
    .poll(() => api.runById(answer.run_id), { timeout: 60_000 })
    .toMatchObject({ trigger: "webhook", status: "running", records_in: 2, records_out: 2 });
});

test("what a file held stays there: what is invoked is added, also where runs replace it", async () => {
  const { api, files } = node();
  await api.connector("all-files", "file", { path: files });
  const destination = { connector: "all-files", stream: "all.ndjson", mode: "replace" };
  const id = await integration({ destination });
  await api.ended(await api.run(id));
  expect((await invoke(id, { n: 1 })).status).toBe(200);
  expect(readFileSync(join(files, "all.ndjson"), "utf8")).toBe('{"id":0}\n{"n":1}\n');
});

test("on the command line: the record on stdout, and exit code 1 where it did not get through", async () => {
  const { api, files } = node();
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" }, mapping_spec });
  const { name } = await api.call<{ name: string }>("GET", `/v1/integrations/${id}`);
  writeFileSync(join(files, "one.json"), '[{"id":"2","name":"bob"}]');
  const [given, read, failed, unknown] = await Promise.all([
    sluice(node(), "invoke", name, "--record", '{"id":"1","name":"ada"}', "--timeout", "30s", "--on-timeout", "drop"),
    sluice(node(), "invoke", name, join(files, "one.json"), "--json", "--timeout", "30s"),
    sluice(node(), "invoke", name, "--record", '{"id":"x"}'),
    sluice(node(), "invoke", name, "--record", "[1]"),
  ]);
  expect([given.code, given.stdout], given.stderr).toEqual([0, '{"id":1,"name":"ADA"}\n']);
  expect(JSON.parse(read.stdout)).toMatchObject({ status: "delivered", record: { id: 2, name: "BOB" } });
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("step map")]);
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("must be a JSON object")]);
});

test("gRPC takes a record as REST does, and an error says what became of it", async () => {
  const { token, dataDir } = node();
  const client = clientOf(new URL(readFileSync(join(dataDir, "grpc-url"), "utf8").trim()).host);
  const id = await integration({ destination: { connector: await blackhole(), stream: "s" }, mapping_spec });
  const take = (recordJson: string, more: { onTimeout?: string; timeout?: string } = {}) =>
    ask(
      client,
      client.invokeIntegration,
      { id, recordJson, onTimeout: more.onTimeout, timeout: more.timeout },
      as(token),
    );
  const taken = await take('{"id": "12345678901234567890", "name": "ada"}', { onTimeout: "drop", timeout: "60s" });
  expect(taken).toMatchObject({
    status: "delivered",
    kept: true,
    recordJson: '{"id":12345678901234567890,"name":"ADA"}',
    failures: [],
    reason: undefined,
  });
  expect(Object.values(taken.byDestination)).toMatchObject([
    { status: "delivered", out: 1n, failed: 0n, recordsJson: [taken.recordJson] },
  ]);
  const refused = await failureOf(take('{"id": "no number", "name": "ada"}'));
  expect(refused).toMatchObject({
    code: status.INVALID_ARGUMENT,
    ErrorInfo: { metadata: { kept: "true", rule: "0", record_id: expect.stringMatching(/./) } },
  });
  const once = as(token, { "idempotency-key": `grpc-${id}` });
  const wrong = { id, recordJson: '{"id": "none"}', onTimeout: undefined, timeout: undefined };
  const [asked, again] = [
    await failureOf(ask(client, client.invokeIntegration, wrong, once)),
    await failureOf(ask(client, client.invokeIntegration, wrong, once)),
  ];
  expect(asked.ErrorInfo.metadata.record_id).toMatch(/./);
  expect({ ...again, RequestInfo: null }).toEqual({ ...asked, RequestInfo: null });
  for (const [record, more] of [
    ["", {}],
    ["[1]", {}],
    ["{", {}],
    ["{}", { timeout: "1h" }],
    ["{}", { onTimeout: "whatever" }],
  ] as const) {
    expect([record, more, (await failureOf(take(record, more))).code]).toEqual([record, more, status.INVALID_ARGUMENT]);
  }
});
