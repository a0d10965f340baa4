import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Group, ownedBy, ownNats } from "../chaos/suite/group.ts";
import { send, sendOnce } from "../hooks/support.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import {
  findJaeger,
  type JaegerSpan,
  type JaegerTrace,
  jaegerBuildMs,
  startJaeger,
  type TestJaeger,
} from "../support/jaeger.ts";
import type { TestNode } from "../support/node.ts";
import { writeProgram } from "../support/noted-program.ts";
import { tempDir } from "../support/temp-dir.ts";
import { samples } from "./support.ts";

const program = fileURLToPath(new URL("../plugin/programs/told.ts", import.meta.url));
const patience = { timeout: 120_000, interval: 100 };
const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const caller = "00f067aa0ba902b7";
const traceparent = `00-${trace}-${caller}-01`;
const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };

let jaeger: TestJaeger;
let shop: TestServer;
/** The integration's owner, and another node, which takes the hook. */
let owner: TestNode;
let other: TestNode;
let id: string;
const ends: (() => unknown)[] = [];

/** Two nodes that begin no trace by themselves: what is asked for is sampled, and errors are. */
beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  const folder = tempDir(atEnd);
  jaeger = await startJaeger(folder);
  atEnd(() => jaeger.stop());
  shop = await serve(({ body }) => ({ status: JSON.parse(body || "{}").n === 13 ? 422 : 200, body: { price: 1 } }));
  atEnd(() => shop.close());
  const programs = join(folder, "programs");
  writeProgram(programs, "told", `exec '${process.execPath}' '${program}'`);
  const nats = await ownNats(atEnd);
  const { nodes } = await Group.start(2, atEnd, nats.url, {
    OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlp,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    SLUICE_PLUGIN_ROOTS: programs,
    SLUICE_ALLOW_ADDRESSES: "127.0.0.1/32",
  });
  const [{ api }] = nodes as [TestNode];
  const env = { SLUICE_PLUGIN_NOTES: join(folder, "notes") };
  await api.call("POST", "/v1/plugins", { name: "told", command: ["told"], env });
  for (const node of nodes) {
    const status = () => node.api.call<{ state: { status: string } }>("GET", "/v1/plugins/told");
    await vi.waitUntil(async () => (await status()).state.status === "ready", patience);
  }
  await api.connector("told", "told", {});
  await api.connector("shop", "http", { base_url: shop.url });
  id = await api.integration({
    name: "orders",
    trigger: { type: "webhook", auth: { scheme: "bearer", secrets: ["s3cret"] } },
    destinations: [
      { id: "plugin", connector: "told", stream: "any" },
      { id: "shop", connector: "shop", stream: "orders" },
    ],
    pipeline_spec: {
      steps: [
        { id: "price", type: "enrich", connector: "shop", request: { path: "/prices/{{ $.n }}" }, merge_at: "price" },
      ],
    },
    enabled: true,
  });
  const owners = async () => {
    const own = await Promise.all(nodes.map(async (node) => ((await ownedBy(node)).has("orders") ? [node] : [])));
    return own.flat();
  };
  await vi.waitUntil(async () => (await owners()).length === 1, patience);
  [owner] = (await owners()) as [TestNode];
  other = nodes.find((node) => node !== owner) as TestNode;
  await vi.waitUntil(async () => (await send(other, "orders", '{"n":1}', headers)).status === 202, patience);
}, jaegerBuildMs);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const tagOf = ({ tags }: Pick<JaegerSpan, "tags">, name: string) => tags.find(({ key }) => key === name)?.value;
const processOf = (found: JaegerTrace, { processID }: JaegerSpan) => found.processes[processID]!;
const nodeOf = (found: JaegerTrace, span: JaegerSpan) => tagOf(processOf(found, span), "service.instance.id");
const parentOf = ({ references }: JaegerSpan) => references.find(({ refType }) => refType === "CHILD_OF")?.spanID;

/** Once there are as many spans of each name as are wanted. */
async function found(traceId: string, wanted: Readonly<Record<string, number>>): Promise<JaegerTrace> {
  let last: JaegerTrace | null = null;
  const names = async () => {
    last = await jaeger.trace(traceId);
    const counts: Record<string, number> = {};
    for (const { operationName } of last?.spans ?? []) counts[operationName] = (counts[operationName] ?? 0) + 1;
    return counts;
  };
  await expect.poll(names, patience).toMatchObject(wanted);
  return last!;
}

/** Once both destinations have so many: what is sent then shares no write with what was sent before. */
async function written(count: number): Promise<void> {
  const out = async () => {
    const { text } = await owner.api.text("/metrics");
    return samples(text, "sluice_records_out_total").map(({ value }) => value);
  };
  await expect.poll(out, patience).toEqual([count, count]);
}

test("a hook is one trace, over two nodes and the log, to the plugin and the HTTP server that are its destinations", async () => {
  await written(1);
  await sendOnce(other, "orders", '{"n":2}', { ...headers, traceparent });
  const all = await found(trace, {
    receive: 1,
    append: 3,
    process: 1,
    "look up": 1,
    deliver: 2,
    write: 2,
    settle: 3,
    "plugin writes": 1,
  });
  const { spans } = all;
  const below = (parent: string, name: string, destination?: string) => {
    const span = spans.find(
      (each) =>
        parentOf(each) === parent &&
        each.operationName === name &&
        (destination === undefined || tagOf(each, "sluice.destination") === destination),
    );
    expect(span, `${name} ${destination ?? ""}`).toBeDefined();
    return span!;
  };
  const receive = below(caller, "receive");
  expect(nodeOf(all, receive)).toBe(other.id);
  const append = below(receive.spanID, "append");
  below(append.spanID, "settle");
  const process = below(append.spanID, "process");
  const lookUp = below(process.spanID, "look up");
  const writes = ["plugin", "shop"].map((destination) => {
    const handed = below(process.spanID, "append", destination);
    below(handed.spanID, "settle");
    return below(below(handed.spanID, "deliver", destination).spanID, "write", destination);
  }) as [JaegerSpan, JaegerSpan];
  for (const span of [append, process, lookUp, ...writes]) expect(nodeOf(all, span)).toBe(owner.id);
  expect(processOf(all, below(writes[0].spanID, "plugin writes")).serviceName).toBe("sluice-plugin");
  const asked = (path: string) =>
    shop.asked.filter((each) => each.path === path && each.headers.traceparent?.includes(trace));
  expect(asked("/orders").map((each) => each.headers.traceparent)).toEqual([`00-${trace}-${writes[1].spanID}-01`]);
  expect(asked("/prices/2").map((each) => each.headers.traceparent)).toEqual([`00-${trace}-${lookUp.spanID}-01`]);
});

test("many hooks in one batch are in its trace, or it links to them", async () => {
  const traces = Array.from({ length: 40 }, (_, n) => String(n + 1).padStart(32, "a"));
  await Promise.all(
    traces.map((each, n) =>
      sendOnce(other, "orders", `{"n":${100 + n}}`, { ...headers, traceparent: `00-${each}-${caller}-01` }),
    ),
  );
  for (const each of traces) await found(each, { receive: 1 });
  /** Traces that an append, of whatever trace, is of or links to. */
  const linked = async () => {
    const appends = (await jaeger.traces("sluice"))
      .flatMap(({ spans }) => spans)
      .filter(({ operationName }) => operationName === "append");
    return new Set(appends.flatMap(({ references }) => references.map(({ traceID }) => traceID)));
  };
  await expect.poll(async () => (await linked()).isSupersetOf(new Set(traces)), patience).toBe(true);
});

test("nothing of a trace that is not sampled is exported, until a record of it fails: then what its node did is", async () => {
  await written(42);
  await sendOnce(other, "orders", '{"n":13}', headers);
  interface Letter {
    readonly id: string;
    readonly trace_id: string;
  }
  let letter: Letter | undefined;
  await expect
    .poll(async () => {
      [letter] = await owner.api.deadLetters<Letter>(id);
      return letter?.trace_id;
    }, patience)
    .toMatch(/^[0-9a-f]{32}$/);
  const all = await found(letter!.trace_id, { append: 3, process: 1, deliver: 2, write: 2, settle: 3 });
  expect(new Set(all.spans.map((span) => nodeOf(all, span)))).toEqual(new Set([owner.id]));
  const failed = all.spans.filter((span) => tagOf(span, "error") === true);
  expect(failed.map(({ operationName }) => operationName).toSorted()).toEqual(["deliver", "write"]);
  for (const span of failed) {
    expect(tagOf(span, "error.type")).toBe("BUSINESS_RULE");
    expect(tagOf(span, "sluice.destination")).toBe("shop");
  }
  // Hooks that nobody asked to trace: where they were exported they had been refused, before the integration was ready.
  const exported = (await jaeger.traces("sluice")).flatMap(({ spans }) => spans);
  const receives = exported.filter((span) => span.operationName === "receive" && parentOf(span) === undefined);
  expect(receives.filter((span) => tagOf(span, "error") !== true)).toEqual([]);
});

test("the build of Jaeger is kept outside of the clone", async () => {
  expect(await findJaeger()).not.toContain(fileURLToPath(new URL("../..", import.meta.url)));
});
