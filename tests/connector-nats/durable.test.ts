import { AckPolicy, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { openLink } from "../../connectors/nats/connection.ts";
import { NatsDestination } from "../../connectors/nats/destination.ts";
import { nats } from "../../connectors/nats/index.ts";
import type { Cursor, JsonObject, ReadBatch, Source } from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { startServer, type TestServer } from "../jetstream/server.ts";
import { uniqueName } from "../support/servers.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 900_000 });

let server: TestServer;
let connection: NatsConnection;
let manager: JetStreamManager;
beforeAll(async () => {
  server = await startServer();
  connection = await connect({ servers: server.url.slice("nats://".length) });
  manager = await jetstreamManager(connection);
});
afterAll(async () => {
  await connection?.close();
  await server?.remove();
});

const idle = new AbortController().signal;
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

async function streamOf(messages: number): Promise<string> {
  const name = uniqueName("s");
  await manager.streams.add({ name, subjects: [name, `${name}.>`] });
  await publish(name, 0, messages);
  return name;
}

async function publish(subject: string, from: number, to: number): Promise<void> {
  await Promise.all(numbers(from, to).map((n) => jetstream(connection).publish(subject, String(n))));
}

/** With trigger manual or schedule: its reading ends. */
async function sourceOf(stream: string, config: JsonObject, from: Cursor): Promise<Source> {
  const context = { dataDir: "/nonexistent", fileRoots: [], expressions };
  const connector = nats.create({ servers: [server.url], streams: { [stream]: config } } as never, context);
  const batch = { records: 100, bytes: 100_000 };
  const options = { mode: "incremental" as const, cursorField: undefined, from, batch, signal: idle };
  return connector.openSource!({ stream, ...options });
}

interface Taken {
  readonly values: number[];
  readonly cursor: Cursor;
  readonly cursors: readonly Cursor[];
}

/** A run: all of it is stored, and the source closed. */
async function run(
  stream: string,
  config: JsonObject = {},
  from: Cursor = null,
  meanwhile = async () => {},
): Promise<Taken> {
  const source = await sourceOf(stream, config, from);
  await meanwhile();
  const taken = { values: [] as number[], cursors: [] as Cursor[] };
  for await (const { data, count, cursor } of source.read()) {
    if (count > 0) taken.values.push(...Buffer.from(data).toString().split("\n").map(Number));
    taken.cursors.push(JSON.parse(JSON.stringify(cursor)));
    source.stored!(cursor);
  }
  await source.close();
  return { ...taken, cursor: taken.cursors.at(-1) ?? from };
}

/** A reader that took so many messages, and died before it acknowledged any. */
async function takeAndDie(stream: string, durable: string, messages: number, filter?: string): Promise<void> {
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(3_000),
    ...(filter !== undefined && { filter_subject: filter }),
  });
  const consumer = await jetstream(connection).consumers.get(stream, durable);
  let count = 0;
  for await (const _ of await consumer.fetch({ max_messages: messages, expires: 30_000 })) count++;
  expect(count).toBe(messages);
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);

test("after a crash, a run by hand reads all that was given and not acknowledged, and ends at the last message there was", async () => {
  const stream = await streamOf(1_500);
  const config = { durable: "reader" };
  await takeAndDie(stream, "reader", 1_000);
  // It begins before the server gives again what the dead one had; what comes after its begin is the next run's.
  const first = await run(stream, config, null, () => publish(stream, 1_500, 1_700));
  expect(sorted(first.values)).toEqual(numbers(0, 1_500));
  const second = await run(stream, config, first.cursor);
  expect(sorted(second.values)).toEqual(numbers(1_500, 1_700));
  const left = async () => (await manager.consumers.info(stream, "reader")).num_ack_pending;
  await expect.poll(left).toBe(0);
  expect((await run(stream, config, second.cursor)).values).toEqual([]);
});

test("so it does with what a subject selects, where messages in between are none of it", async () => {
  const stream = await streamOf(0);
  const subject = `${stream}.a`;
  for (const n of numbers(0, 300)) {
    await jetstream(connection).publish(subject, String(n));
    await jetstream(connection).publish(`${stream}.b`, "-1");
  }
  await takeAndDie(stream, "reader", 250, subject);
  const { values, cursor } = await run(stream, { durable: "reader", subject });
  expect(sorted(values)).toEqual(numbers(0, 300));
  await publish(subject, 300, 310);
  expect((await run(stream, { durable: "reader", subject }, cursor)).values).toEqual(numbers(300, 310));
  // None that was never acknowledged: it ends without asking twice.
  const from = { durable: "other", subject, start: "2000-01-01" };
  expect((await run(stream, from)).values).toEqual(numbers(0, 310));
});

test("a durable consumer that is named later goes on behind what was read by sequence", async () => {
  const stream = await streamOf(200);
  const { cursor } = await run(stream);
  await publish(stream, 200, 250);
  const next = await run(stream, { durable: "reader" }, cursor);
  expect(next.values).toEqual(numbers(200, 250));
  await publish(stream, 250, 260);
  expect((await run(stream, { durable: "reader" }, next.cursor)).values).toEqual(numbers(250, 260));
  // And without it again.
  expect((await run(stream, {}, next.cursor)).values).toEqual(numbers(250, 260));
});

test("a durable consumer that is named no more leaves nothing out that it was not given", async () => {
  const stream = await streamOf(150);
  await takeAndDie(stream, "reader", 50);
  // What came first is what nobody had: the dead one's messages are missing below it.
  const source = await sourceOf(stream, { durable: "reader" }, null);
  const reading = source.read()[Symbol.asyncIterator]();
  let batch: ReadBatch;
  do batch = (await reading.next()).value;
  while (batch.count === 0);
  const cursor = JSON.parse(JSON.stringify(batch.cursor)) as { sequence: number; read: [number, number][] };
  await source.close();
  expect(cursor.read).toEqual([[51, cursor.sequence]]);
  expect((await run(stream, {}, cursor)).values).toEqual(numbers(0, 150));
});

test("writes that wait for a connection share one, and none is left open", async () => {
  const stream = await streamOf(0);
  const links: Awaited<ReturnType<typeof openLink>>[] = [];
  const dial = async () => {
    const link = await openLink({ servers: [server.url] }, 5_000);
    links.push(link);
    return link;
  };
  const options = { name: stream, config: {}, at: "config.streams.s", expressions, readMs: 10_000, dedupes: false };
  const destination = new NatsDestination({ connect: dial, link: await dial(), ...options });
  onTestFinished(() => destination.close());
  await links[0]!.connection.close();
  const record = (n: number) => ({ text: String(n), value: n, id: String(n) });
  const writes = numbers(0, 4).map((n) => destination.write({ records: [record(n)], signal: idle }));
  for (const result of await Promise.all(writes)) expect(result).toEqual({ failed: [] });
  expect(links).toHaveLength(2);
  await destination.close();
  expect(links.map((link) => link.connection.isClosed())).toEqual([true, true]);
});
