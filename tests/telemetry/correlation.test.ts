import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Run } from "../support/api.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { writeProgram } from "../support/noted-program.ts";
import { tempDir } from "../support/temp-dir.ts";

const program = fileURLToPath(new URL("../plugin/programs/told.ts", import.meta.url));
const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const asked = { "x-request-id": "order-77", traceparent };
const actor = "data folder";

interface Note {
  readonly call: string;
  readonly requestId?: string;
  readonly traceparent?: string;
  readonly actor?: string;
}

interface Letter {
  readonly id: string;
  readonly trace_id: string | null;
  readonly request: object | null;
}

interface PluginSpan {
  readonly name: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
}

let node: TestNode;
let shop: TestServer;
let refused = true;
/** What plugins export their spans to. */
let collector: TestServer;
let notesFile: string;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  const folder = tempDir(atEnd);
  notesFile = join(folder, "notes");
  shop = await serve(({ path, body }) =>
    refused && path === "/orders" && JSON.parse(body).n === 3 ? { status: 422, body: {} } : { body: { price: 1 } },
  );
  atEnd(() => shop.close());
  collector = await serve(() => ({ body: {} }));
  atEnd(() => collector.close());
  const programs = join(folder, "programs");
  const line = `OTEL_EXPORTER_OTLP_ENDPOINT=${collector.url} exec '${process.execPath}' '${program}'`;
  writeProgram(programs, "told", line);
  const env = { SLUICE_PLUGIN_ROOTS: programs, SLUICE_ALLOW_ADDRESSES: "127.0.0.1/32" };
  node = await TestNode.start({ folder, env, atEnd: atEnd as never });
  const plugin = {
    command: ["told"],
    env: { SLUICE_PLUGIN_NOTES: notesFile },
  };
  await node.api.call("POST", "/v1/plugins", { name: "told", ...plugin });
  const isReady = async () =>
    (await node.api.call<{ state: { status: string } }>("GET", "/v1/plugins/told")).state.status === "ready";
  await vi.waitUntil(isReady, { timeout: 60_000, interval: 100 });
  await node.api.connector("told", "told", {});
  await node.api.connector("shop", "http", { base_url: shop.url, send_identity: true });
  await node.api.connector("prices", "http", { base_url: shop.url });
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const notes = (): Note[] =>
  existsSync(notesFile)
    ? readFileSync(notesFile, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];
const spans = (): PluginSpan[] =>
  collector.asked.flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans);
const traceOf = (header: unknown) => String(header).split("-")[1];

test("what a request brings along goes with its run to scripts, look-ups, plugins, outgoing requests and dead letters", async () => {
  const { api } = node;
  const id = await api.integration({
    name: "orders",
    source: { connector: "told", stream: "numbers" },
    destinations: [
      { id: "plugin", connector: "told", stream: "any" },
      { id: "shop", connector: "shop", stream: "orders" },
    ],
    pipeline_spec: {
      steps: [
        { id: "meta", type: "transform", script: "(record, meta) => ({ ...record, by: meta.request })" },
        { id: "stock", type: "enrich", connector: "told", request: { n: "{{ $.n }}" }, merge_at: "stock" },
        { id: "price", type: "enrich", connector: "prices", request: { path: "/prices" }, merge_at: "price" },
      ],
    },
  });
  const { id: runId, request } = await api.call<Run & { request: object }>(
    "POST",
    `/v1/integrations/${id}/run`,
    undefined,
    asked,
  );
  expect(request).toEqual({ id: "order-77", trace_id: trace, actor });
  expect(await api.ended(runId)).toMatchObject({ status: "partial", records_failed: 1 });

  const sent = shop.asked.filter(({ path }) => path === "/orders");
  expect(sent).toHaveLength(6);
  for (const { path, headers, body } of shop.asked) {
    expect(headers["x-request-id"]).toBe("order-77");
    expect(headers.traceparent).toBe(traceparent);
    // Who asked is told where the connector says so.
    expect(headers["x-sluice-actor"]).toBe(path === "/orders" ? encodeURIComponent(actor) : undefined);
    if (body !== "") expect(JSON.parse(body).by).toEqual({ id: "order-77", trace_id: trace, actor });
  }
  expect(shop.asked.filter(({ path }) => path === "/prices")).toHaveLength(1);
  // Enabling it has opened both sides once before, which was no request of this name.
  const told = notes().filter(({ requestId }) => requestId === "order-77");
  expect(new Set(told.map(({ call }) => call))).toEqual(new Set(["read", "open", "lookup", "write"]));
  for (const note of told) expect(note).toMatchObject({ traceparent, actor });
  await expect.poll(() => spans().map(({ name }) => name)).toEqual(expect.arrayContaining(["plugin reads"]));
  await expect.poll(() => spans().map(({ name }) => name)).toEqual(expect.arrayContaining(["plugin writes"]));
  for (const span of spans()) expect(span).toMatchObject({ traceId: trace, parentSpanId: "00f067aa0ba902b7" });

  const [letter] = await api.deadLetters<Letter>(id);
  expect(letter).toMatchObject({ trace_id: trace, request: { id: "order-77", trace_id: trace, actor } });

  // A replay is another request's doing.
  refused = false;
  const again = { "x-request-id": "repair-1", traceparent: traceparent.replace(trace, "a".repeat(32)) };
  await api.call("POST", `/v1/dead-letter/${letter!.id}/replay`, undefined, again);
  const replayed = () => shop.asked.filter(({ headers }) => headers["x-request-id"] === "repair-1");
  await expect.poll(() => replayed().map(({ path }) => path)).toContain("/orders");
  for (const { headers } of replayed()) expect(traceOf(headers.traceparent)).toBe("a".repeat(32));
});

test("a connector's test and its streams are asked for on behalf of who asks", async () => {
  const { items } = await node.api.call<{ items: { id: string }[] }>("GET", "/v1/connectors?name=told");
  const path = `/v1/connectors/${items[0]!.id}`;
  await node.api.call("POST", `${path}/test`, undefined, { ...asked, "x-request-id": "look-1" });
  await node.api.call("POST", `${path}/discover`, undefined, { ...asked, "x-request-id": "look-2" });
  const of = (requestId: string) => notes().filter((note) => note.requestId === requestId);
  expect(of("look-1")).toContainEqual({ call: "check", requestId: "look-1", traceparent, actor });
  expect(of("look-2")).toContainEqual({ call: "discover", requestId: "look-2", traceparent, actor });
});
