import { type JetStreamManager, jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { nats } from "../../connectors/nats/index.ts";
import type {
  Cursor,
  Destination,
  Json,
  JsonObject,
  OutRecord,
  ReadBatch,
  Source,
  WriteResult,
} from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { startServer, type TestServer } from "../jetstream/server.ts";
import { cuttable } from "../support/cuttable.ts";
import { uniqueName } from "../support/servers.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 900_000 });

let server: TestServer;
let connection: NatsConnection;
let manager: JetStreamManager;
const begin = async () => {
  connection = await connect({ servers: server.url.slice("nats://".length) });
  manager = await jetstreamManager(connection);
};
beforeAll(async () => {
  server = await startServer({ maxPayload: 64 * 1024 });
  await begin();
});
afterAll(async () => {
  await connection?.close();
  await server?.remove();
});

const idle = new AbortController().signal;
const connectorOf = (streams: JsonObject = {}, url = server.url) =>
  nats.create({ servers: [url], timeout: { read: "3s" }, streams } as never, {
    dataDir: "/nonexistent",
    fileRoots: [],
    expressions,
  });

async function sourceOf(
  stream: string,
  config: JsonObject = {},
  from: Cursor = null,
  endless = false,
): Promise<Source> {
  const controller = new AbortController();
  const batch = { records: 100, bytes: 100_000 };
  const options = { mode: "incremental" as const, cursorField: undefined, from, batch, signal: controller.signal };
  const source = await connectorOf({ [stream]: config }).openSource!({
    stream,
    ...options,
    ...(endless && { endless }),
  });
  onTestFinished(async () => {
    controller.abort(new Error("the test is over"));
    await source.close();
  });
  return source;
}

async function destinationOf(
  stream: string,
  config: JsonObject = {},
  more: object = {},
  url?: string,
): Promise<Destination> {
  const options = { mode: "append" as const, key: [], runId: "r", state: null, signal: idle, ...more };
  const destination = await connectorOf({ [stream]: config }, url).openDestination!({ stream, ...options });
  onTestFinished(() => destination.close());
  return destination;
}

const recordOf = (value: Json, id = JSON.stringify(value)): OutRecord => ({ text: JSON.stringify(value), value, id });
const write = (to: Destination, values: readonly Json[], more: object = {}): Promise<WriteResult> =>
  to.write({ records: values.map((value) => recordOf(value)), signal: AbortSignal.timeout(30_000), ...more });
const textsOf = ({ data, count }: ReadBatch) => (count === 0 ? [] : Buffer.from(data).toString().split("\n"));
const valuesOf = (batches: readonly ReadBatch[]) => batches.flatMap(textsOf).map((text) => JSON.parse(text) as Json);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => ({ n: from + n }));

async function all(source: Source): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for await (const batch of source.read()) batches.push(batch);
  return batches;
}

/** Reads until so many records are there. */
async function until(records: number, batches: AsyncIterator<ReadBatch>): Promise<ReadBatch[]> {
  const taken: ReadBatch[] = [];
  for (let count = 0; count < records; count += taken.at(-1)!.count) {
    const { value, done } = await batches.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

async function streamOf(config: JsonObject = {}): Promise<string> {
  const name = uniqueName("s");
  await manager.streams.add({ name, subjects: [name, `${name}.>`], ...config } as never);
  return name;
}

test("what is written to a stream is read from it, once, however often it was written, and goes on after a cursor", async () => {
  const stream = await streamOf();
  const destination = await destinationOf(stream);
  expect(await write(destination, numbers(0, 1_000))).toEqual({ failed: [] });
  // A retry whose first try was heard: the ids are known.
  expect(await write(destination, numbers(900, 1_100))).toEqual({ failed: [] });
  const batches = await all(await sourceOf(stream));
  expect(valuesOf(batches)).toEqual(numbers(0, 1_100));
  const third = batches[2]!;
  expect(valuesOf(await all(await sourceOf(stream, {}, JSON.parse(JSON.stringify(third.cursor)))))).toEqual(
    numbers(
      batches.slice(0, 3).reduce((sum, { count }) => sum + count, 0),
      1_100,
    ),
  );
  // What is filtered, and from a time on.
  await write(await destinationOf(`${stream}.odd`), [{ odd: 1 }]);
  expect(valuesOf(await all(await sourceOf(stream, { subject: `${stream}.*` })))).toEqual([{ odd: 1 }]);
  expect(valuesOf(await all(await sourceOf(stream, { start: "2200-01-01" })))).toEqual([]);
  const messages = valuesOf(await all(await sourceOf(stream, { subject: `${stream}.odd`, record: "message" })));
  expect(messages).toEqual([
    {
      subject: `${stream}.odd`,
      headers: { "Nats-Msg-Id": '{"odd":1}' },
      sequence: 1_101,
      time: expect.any(String),
      value: { odd: 1 },
    },
  ]);
});

test("what nodes of sluice say to each other is neither read, written nor shown", async () => {
  await manager.streams.add({ name: "SLUICE_IN_1", subjects: ["sluice.in.1.>"] });
  onTestFinished(async () => void (await manager.streams.delete("SLUICE_IN_1")));
  const refused = { code: "VALIDATION_ERROR", message: expect.stringContaining("nodes of sluice") };
  await expect(sourceOf("SLUICE_IN_1")).rejects.toMatchObject({ ...refused, path: "source.stream" });
  await expect(sourceOf("a", { via: "core", subject: "sluice.>" }, null, true)).rejects.toMatchObject(refused);
  await expect(destinationOf("sluice.in.1.x")).rejects.toMatchObject({ ...refused, path: "destination.stream" });
  const destination = await destinationOf("b", { via: "core", subject: "{{ $.to }}" });
  const { failed = [] } = await write(destination, [{ to: "sluice.in.1.x" }, { to: "free" }]);
  expect(failed).toMatchObject([{ index: 0, ...refused }]);
  expect((await connectorOf().discover(idle)).map(({ name }) => name)).not.toContain("SLUICE_IN_1");
  const batches = (await sourceOf("c", { via: "core", subject: "*.in.>" }, null, true)).read()[Symbol.asyncIterator]();
  await batches.next();
  connection.publish("sluice.in.1.x", '{"n":1}');
  connection.publish("other.in.x", '{"n":2}');
  expect(valuesOf(await until(1, batches))).toEqual([{ n: 2 }]);
  // Stored a moment after it was heard.
  const stored = async () => (await manager.streams.info("SLUICE_IN_1")).state.messages;
  await expect.poll(stored, { timeout: 60_000 }).toBe(1);
});

test("keys of records go with the stream's own window, where that is long enough", async () => {
  const stream = await streamOf({ duplicate_window: 3_600e9 });
  expect((await destinationOf(stream, {}, { idempotencyWindowMs: 7_200_000 })).dedupes).toBe(false);
  const destination = await destinationOf(stream, {}, { idempotencyWindowMs: 3_600_000 });
  expect(destination.dedupes).toBe(true);
  await write(destination, [{ n: 1 }, { n: 2 }], { keys: ["a", "b"] });
  await write(destination, [{ n: 3 }, { n: 4 }], { keys: ["b", "c"] });
  expect(valuesOf(await all(await sourceOf(stream)))).toEqual([{ n: 1 }, { n: 2 }, { n: 4 }]);
});

test("kill -9 of nats-server in the middle of reading and writing: both say so, and go on where they stood", async () => {
  const stream = await streamOf();
  const destination = await destinationOf(stream);
  await write(destination, numbers(0, 2_000));
  const source = await sourceOf(stream, {}, null, true);
  const reading = source.read()[Symbol.asyncIterator]();
  const before = await until(500, reading);
  await server.kill();
  const failing = (async () => {
    for (;;) before.push((await reading.next()).value);
  })();
  await expect(failing).rejects.toMatchObject({ code: "UNAVAILABLE" });
  // Whether the write finds the connection gone, or loses it.
  const said = await write(destination, numbers(2_000, 2_100)).then(
    ({ failed }) => failed?.[99],
    (error) => error,
  );
  expect(said).toMatchObject({ code: "UNAVAILABLE" });
  await expect(sourceOf(stream)).rejects.toMatchObject({ code: "UNAVAILABLE", path: "config.servers" });
  await server.start();
  await connection.close();
  await begin();
  await expect.poll(() => write(destination, numbers(2_000, 2_100)).catch(() => "away")).toEqual({ failed: [] });
  const after = await all(await sourceOf(stream, {}, before.at(-1)!.cursor));
  expect(valuesOf([...before, ...after])).toEqual(numbers(0, 2_100));
});

test("a durable consumer is acknowledged what is in the log, and what is not comes again, once", async () => {
  const stream = await streamOf({ retention: RetentionPolicy.Workqueue });
  await write(await destinationOf(stream), numbers(0, 1_000));
  await expect(sourceOf(stream)).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "source.stream" });
  const config = { durable: "reader" };
  const left = async () => (await manager.streams.info(stream)).state.messages;

  const first = await sourceOf(stream, config, null, true);
  const read = await until(600, first.read()[Symbol.asyncIterator]());
  const kept = read.slice(0, 3);
  first.stored!(kept[1]!.cursor);
  await expect.poll(left).toBe(1_000 - kept[0]!.count - kept[1]!.count);
  // Three batches are in the log; the process dies before the third is acknowledged.
  await first.close();
  const second = await sourceOf(stream, config, JSON.parse(JSON.stringify(kept[2]!.cursor)), true);
  const again = second.read()[Symbol.asyncIterator]();
  const all = [...kept];
  const count = () => all.reduce((sum, batch) => sum + batch.count, 0);
  while (count() < 1_000) {
    const { value } = await again.next();
    all.push(value);
    second.stored!(value.cursor);
  }
  expect(valuesOf(all).toSorted((a, b) => (a as { n: number }).n - (b as { n: number }).n)).toEqual(numbers(0, 1_000));
  const leftNow = async () => {
    await again.next();
    return left();
  };
  await expect.poll(leftNow).toBe(0);
});

test("messages that were lost before they were read are told, as dead letters or by failing", async () => {
  const stream = await streamOf({ max_msgs: 100 });
  await write(await destinationOf(stream), numbers(0, 50));
  const cursor = (await all(await sourceOf(stream))).at(-1)!.cursor;
  await write(await destinationOf(stream), numbers(50, 250));
  const [lost, ...rest] = await all(await sourceOf(stream, {}, cursor));
  expect(lost?.failures).toMatchObject([
    {
      index: 0,
      code: "NOT_FOUND",
      message: `Messages 51 to 150 of stream ${stream} were deleted before they were read.`,
    },
  ]);
  expect(valuesOf(rest)).toEqual(numbers(150, 250));
  await expect(sourceOf(stream, { on_lost: "fail" }, cursor)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });

  await manager.streams.delete(stream);
  await expect(sourceOf(stream, {}, cursor)).rejects.toMatchObject({ code: "NOT_FOUND", path: "source.stream" });
  await manager.streams.add({ name: stream, subjects: [stream] });
  await write(await destinationOf(stream), numbers(0, 3));
  const anew = await all(await sourceOf(stream, {}, cursor));
  expect(anew[0]?.failures?.[0]?.message).toMatch(
    /was made anew on .*: what came after message 50 of the former one is lost/,
  );
  expect(valuesOf(anew.slice(1))).toEqual(numbers(0, 3));
});

test("core messages: a queue group shares them, and what is written is with the server", async () => {
  const subject = uniqueName("core");
  const config = { via: "core", subject: `${subject}.>`, queue: "q", record: "message" };
  await expect(sourceOf(subject, config)).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "trigger.type" });
  const refused = { code: "VALIDATION_ERROR", path: expect.stringMatching(/\.queue$/) };
  await expect(sourceOf(subject, { ...config, subject: "*.owner.>" }, null, true)).rejects.toMatchObject(refused);
  const readers = await Promise.all([1, 2].map(() => sourceOf(subject, config, null, true)));
  const seen: Json[] = [];
  for (const source of readers) {
    const batches = source.read()[Symbol.asyncIterator]();
    // It listens.
    expect((await batches.next()).value).toMatchObject({ count: 0 });
    void (async () => {
      for (;;) seen.push(...valuesOf([(await batches.next()).value]));
    })().catch(() => {});
  }
  const to = await destinationOf("out", {
    via: "core",
    subject: `${subject}.{{ $.n }}`,
    headers: { kind: "{{ $.kind }}", "x-n": "{{ $.n }}" },
  });
  expect(await write(to, [...numbers(0, 300), { n: "a b" }, { n: "*" }])).toMatchObject({
    failed: [
      { index: 300, code: "VALIDATION_ERROR" },
      { index: 301, code: "VALIDATION_ERROR" },
    ],
  });
  await expect.poll(() => seen.length).toBe(300);
  expect(new Set(seen.map((each) => (each as { value: { n: number } }).value.n)).size).toBe(300);
  expect(seen).toContainEqual({ subject: `${subject}.7`, headers: { "x-n": "7" }, value: { n: 7 } });
});

test("requests are answered once they are stored; an answer's error is a record's failure", async () => {
  const subject = uniqueName("ask");
  const config = { via: "request", reply: { id: "{{ $.n }}", ok: true } };
  const source = await sourceOf(subject, config, null, true);
  const reading = source.read()[Symbol.asyncIterator]();
  await reading.next();
  let answer: Json | undefined;
  const asked = connection.request(subject, JSON.stringify({ n: 5 }), { timeout: 30_000 }).then((reply) => {
    answer = reply.json();
  });
  const [batch] = await until(1, reading);
  await connection.flush();
  expect(answer).toBeUndefined();
  source.stored!(batch!.cursor);
  await asked;
  expect(answer).toEqual({ id: 5, ok: true });
  const broken = connection.request(subject, "{", { timeout: 30_000 });
  const [taken] = await until(1, reading);
  source.stored!(taken!.cursor);
  expect((await broken).headers?.get("Nats-Service-Error")).toBe("The message is no JSON.");

  const service = uniqueName("service");
  const to = await destinationOf(service, { via: "request" });
  await expect(write(to, [{ n: 1 }])).rejects.toMatchObject({ code: "UNAVAILABLE", fault: "destination" });
  const codes: Record<number, string> = { 1: "422", 2: "429", 6: "403" };
  connection.subscribe(service, {
    callback: (_, message) => {
      const { n } = message.json<{ n: number }>();
      const refused = headers();
      if (codes[n]) {
        refused.set("Nats-Service-Error", "no");
        refused.set("Nats-Service-Error-Code", codes[n]);
      }
      if (n !== 3) message.respond("", { headers: refused });
    },
  });
  await connection.flush();
  expect(await write(to, numbers(0, 5))).toEqual({
    failed: [
      { index: 1, code: "BUSINESS_RULE", message: "The answer says: no." },
      { index: 2, code: "RATE_LIMITED", message: "The answer says: no." },
      { index: 3, code: "TIMEOUT", message: `No answer to ${service}.` },
    ],
  });
  // In order: none behind one that may be tried again.
  const heard: number[] = [];
  connection.subscribe(service, { callback: (_, message) => void heard.push(message.json<{ n: number }>().n) });
  await connection.flush();
  for (const [n, code] of [
    [2, "RATE_LIMITED"],
    // The far side's own fault.
    [6, "FORBIDDEN"],
  ] as const) {
    heard.splice(0);
    expect(await write(to, [{ n: 0 }, { n }, { n: 4 }], { ordered: true })).toEqual({
      failed: [{ index: 1, code, message: "The answer says: no." }],
      left: [2],
    });
    expect(heard).toEqual([0, n]);
  }
});

test.each([true, false])(
  "where nobody takes what is written any more, what was taken counts, and the rest waits: in order %s",
  async (ordered) => {
    const service = uniqueName("service");
    const to = await destinationOf(service, { via: "request" });
    const heard: number[] = [];
    const callback = (_: unknown, message: Msg) => {
      heard.push(message.json<{ n: number }>().n);
      message.respond();
    };
    // It hears one message, and goes.
    connection.subscribe(service, { max: 1, callback });
    await connection.flush();
    const { failed, left = [] } = await write(to, numbers(0, 3), { ordered });
    expect([failed, left.toSorted()]).toEqual([[], [1, 2]]);
    expect(heard).toEqual([0]);
    await expect(write(to, numbers(1, 3), { ordered })).rejects.toMatchObject({ fault: "destination" });
  },
);

test.each([true, false])(
  "a connection that is lost in the middle of a write leaves nothing that was confirmed to be sent again: in order %s",
  async (ordered) => {
    const wire = await cuttable(Number(new URL(server.url).port));
    const service = uniqueName("service");
    const to = await destinationOf(service, { via: "request" }, {}, wire.url.replace("http", "nats"));
    // 256 are on their way at once, or one.
    const last = ordered ? 1 : 256;
    const callback = (_: unknown, message: Msg) => {
      if (message.json<{ n: number }>().n === last) wire.cut();
      else message.respond();
    };
    connection.subscribe(service, { callback });
    await connection.flush();
    const { failed = [], left } = await write(to, numbers(0, last + 3), { ordered });
    const open = ordered ? [1] : [256, 257, 258];
    expect(failed.map(({ index, code }) => [index, code])).toEqual(open.map((index) => [index, "UNAVAILABLE"]));
    expect(left).toEqual(ordered ? [2, 3] : undefined);
    wire.mend();
    expect(await write(to, [{ n: 0 }], { ordered })).toEqual({ failed: [] });
  },
);

test("a write that is to stop tells what was confirmed, and what it left", async () => {
  const service = uniqueName("service");
  const to = await destinationOf(service, { via: "request" });
  const stop = new AbortController();
  const callback = (_: unknown, message: Msg) => {
    if (message.json<{ n: number }>().n === 1) stop.abort(new Error("enough"));
    else message.respond();
  };
  connection.subscribe(service, { callback });
  await connection.flush();
  const { signal } = stop;
  expect(await write(to, numbers(0, 3), { ordered: true, signal })).toEqual({ failed: [], left: [1, 2] });
  await expect(write(to, numbers(0, 3), { ordered: true, signal })).rejects.toThrow("enough");
});

test("events are wrapped and unwrapped in both modes; text and bytes are texts of their own", async () => {
  const stream = await streamOf();
  for (const mode of ["structured", "binary"]) {
    const subject = `${stream}.${mode}`;
    const cloudevents = { mode, source: "/shop", type: "order", subject: "{{ $.n }}" };
    await write(await destinationOf(subject, { cloudevents }), [{ n: 1, mode }]);
    const events = await all(await sourceOf(stream, { subject, cloudevents: { record: "event" } }));
    expect(valuesOf(events)).toMatchObject([{ specversion: "1.0", type: "order", subject: "1", data: { n: 1 } }]);
    expect(valuesOf(await all(await sourceOf(stream, { subject, cloudevents: {} })))).toMatchObject([{ n: 1 }]);
  }
  await jetstream(connection).publish(`${stream}.raw`, Buffer.from([0xff, 0x0a]));
  await jetstream(connection).publish(`${stream}.raw`, "two\nlines");
  const raw = (config: JsonObject) => sourceOf(stream, { subject: `${stream}.raw`, ...config }).then(all);
  expect(valuesOf(await raw({ format: "base64" }))).toEqual(["/wo=", "dHdvCmxpbmVz"]);
  const bytes = await destinationOf(`${stream}.bytes`, { format: "base64" });
  expect((await write(bytes, ["aGk=", "hello world", 1])).failed).toMatchObject(
    [1, 2].map((index) => ({ index, code: "VALIDATION_ERROR" })),
  );
  const [texts] = await raw({ format: "text" });
  expect(valuesOf([texts!])).toEqual([null, "two\nlines"]);
  expect(texts!.failures).toMatchObject([
    { index: 0, code: "VALIDATION_ERROR", message: "The message is no text in UTF-8." },
  ]);
  const [broken] = await raw({ record: "message" });
  expect(broken!.failures).toHaveLength(2);
});

test("a stream that is not there keeps the records waiting, a record that is too large or refused is alone to blame", async () => {
  await expect(destinationOf(uniqueName("none"))).rejects.toMatchObject({
    code: "NOT_FOUND",
    fault: "destination",
    path: "destination.stream",
  });
  const stream = await streamOf({ max_msg_size: 1_000 });
  const to = await destinationOf(stream);
  const long = (length: number) => ({ text: "x".repeat(length) });
  expect(await write(to, [{ n: 1 }, long(2_000), long(100_000), { n: 2 }])).toMatchObject({
    failed: [
      { index: 2, code: "VALIDATION_ERROR" },
      { index: 1, code: "VALIDATION_ERROR" },
    ],
  });
  expect((await manager.streams.info(stream)).state.messages).toBe(2);
  // Its headers are part of it: 12 bytes around "Nats-Msg-Id: …" and a line's end.
  const wide = await destinationOf(await streamOf());
  const [fits, over] = [12, 11].map((less) =>
    recordOf("x".repeat(64 * 1024 - 2 - 12 - 15 - less), `${less} is its id`),
  );
  const sent = await wide.write({ records: [recordOf(1), fits!, over!, recordOf(2)], signal: idle });
  expect(sent).toMatchObject({ failed: [{ index: 2, code: "VALIDATION_ERROR" }] });
  await manager.streams.delete(stream);
  await expect(write(to, [{ n: 3 }])).rejects.toMatchObject({ code: "NOT_FOUND", fault: "destination" });
});
