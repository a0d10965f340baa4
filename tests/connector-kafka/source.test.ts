import { randomUUID } from "node:crypto";
import { KafkaJSProtocolError } from "kafkajs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { KafkaConfig } from "../../connectors/kafka/index.ts";
import { type Broker, KafkaClient } from "../../connectors/kafka/kafkajs.ts";
import type { Json, Source } from "../../connectors/sdk/index.ts";
import { aims, recordsIn, stored, textsIn, useKafka } from "./cluster.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const cluster = useKafka();
const message = (id: number, partition?: number) => ({
  value: JSON.stringify({ id }),
  ...(partition === undefined ? {} : { partition }),
});
const ids = (records: readonly Json[]) => (records as { id: number }[]).map(({ id }) => id);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

describe("a bounded read", () => {
  test("ends where the topic ended when it began, and the next one goes on there", async () => {
    const topic = await cluster.topic(3);
    await cluster.produce(
      topic,
      range(0, 300).map((id) => message(id, id % 3)),
    );
    const source = await cluster.open({ stream: topic, batch: { records: 7, bytes: 100_000 } });
    const first: Json[] = [];
    let cursor: Json = null;
    for await (const batch of source.read()) {
      if (first.length === 0) await cluster.produce(topic, [message(1000, 0)]);
      first.push(...recordsIn(batch));
      cursor = stored(batch.cursor);
    }
    await source.close();
    expect(sorted(ids(first))).toEqual(range(0, 300));
    expect(ids(await cluster.records({ stream: topic, from: cursor }))).toEqual([1000]);
  });

  test("a partition that was added since is read from its beginning", async () => {
    const topic = await cluster.topic(1);
    await cluster.produce(
      topic,
      range(0, 5).map((id) => message(id, 0)),
    );
    const [batch] = await cluster.batches({ stream: topic }, { start: "2000-01-01" });
    await cluster.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    await cluster.produce(topic, [message(5, 1)]);
    expect(ids(await cluster.records({ stream: topic, from: stored(batch!.cursor) }))).toEqual([5]);
  });

  test("begins with the first message of a time", async () => {
    const topic = await cluster.topic();
    await cluster.produce(topic, [message(1)]);
    await vi.waitUntil(() => Date.now() % 1000 < 50, { timeout: 60_000, interval: 10 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    const start = new Date().toISOString();
    await cluster.produce(topic, [message(2)]);
    expect(ids(await cluster.records({ stream: topic }, { start }))).toEqual([2]);
    expect(await cluster.records({ stream: topic }, { start: new Date(Date.now() + 60_000).toISOString() })).toEqual(
      [],
    );
  });

  test("several topics and those that match a pattern are one stream", async () => {
    const prefix = randomUUID();
    const topics = [`${prefix}.a`, `${prefix}.b`, `${prefix}x`];
    for (const [id, topic] of topics.entries()) {
      await cluster.broker.createTopic(topic);
      await cluster.produce(topic, [message(id)]);
    }
    const streams = { some: { topics: topics.slice(1) }, matching: { pattern: `${prefix}\\.[a-z]` } };
    expect(sorted(ids(await cluster.records({ stream: "some" }, { streams })))).toEqual([1, 2]);
    expect(sorted(ids(await cluster.records({ stream: "matching" }, { streams })))).toEqual([0, 1]);
    await expect(cluster.destination("some", { streams })).rejects.toMatchObject({ path: "destination.stream" });
  });

  test("what a transaction took back is not read, and its marks end no read", async () => {
    const topic = await cluster.topic();
    const producer = cluster.outside.producer({
      transactionalId: randomUUID(),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    for (const [id, commits] of [
      [1, true],
      [2, false],
      [3, true],
      [4, false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [message(id)] });
      await (commits ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const batches = await cluster.batches({ stream: topic });
    expect(ids(batches.flatMap(recordsIn))).toEqual([1, 3]);
  });
});

describe("records", () => {
  const first = async (topic: string, config: Partial<KafkaConfig>) => {
    const batches = await cluster.batches({ stream: topic }, config);
    return { texts: batches.flatMap(textsIn), failures: batches.flatMap(({ failures = [] }) => failures) };
  };

  test("a value is a record as it stands, digit for digit, on one line; what is none becomes a dead letter", async () => {
    const topic = await cluster.topic();
    const values = [
      '{"n":1.10,"big":12345678901234567890}',
      '{\r\n "a": 1\n}',
      "{broken\n",
      Buffer.from([0x22, 0xff, 0xfe, 0x22]),
      null,
      '"last"',
    ];
    await cluster.produce(
      topic,
      values.map((value) => ({ key: "k", value })),
    );
    const { texts, failures } = await first(topic, {});
    expect(texts).toEqual(['{"n":1.10,"big":12345678901234567890}', '{   "a": 1 }', "null", "null", "null", '"last"']);
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [2, "VALIDATION_ERROR"],
      [3, "VALIDATION_ERROR"],
    ]);
    expect(Buffer.from(failures[0]!.raw).toString()).toBe("{broken\n");
    expect(failures[0]!.message).toContain(`offset 2 of ${topic}/0`);
    expect((await first(topic, { tombstones: "skip" })).texts).toHaveLength(5);
  });

  test("a message is a record with key, headers and its place", async () => {
    const topic = await cluster.topic();
    const bytes = Buffer.from([0xff, 0]);
    await cluster.produce(topic, [
      { key: "ä", value: '{"id":1}', headers: { a: "1", b: ["2", "3"], c: bytes } },
      { key: null, value: null },
      { key: "k", value: '1,"topic":"evil"' },
    ]);
    const { texts, failures } = await first(topic, { record: "message" });
    const [record, tombstone] = texts.map((text) => JSON.parse(text) as { [name: string]: Json });
    expect(record).toEqual({
      key: "ä",
      value: { id: 1 },
      headers: { a: "1", b: ["2", "3"], c: bytes.toString("base64") },
      topic,
      partition: 0,
      offset: 0,
      timestamp: expect.stringMatching(/^20\d\d-.*Z$/),
    });
    expect(tombstone).toMatchObject({ key: null, value: null, headers: {}, offset: 1 });
    expect(failures).toMatchObject([{ index: 2, code: "VALIDATION_ERROR" }]);
  });

  test("values may be text or bytes", async () => {
    const topic = await cluster.topic();
    await cluster.produce(topic, [{ key: Buffer.from([1, 2]), value: 'a "text"\n' }]);
    expect((await first(topic, { format: "text" })).texts).toEqual([JSON.stringify('a "text"\n')]);
    expect((await first(topic, { format: "base64" })).texts).toEqual([
      `"${Buffer.from('a "text"\n').toString("base64")}"`,
    ]);
    const { texts } = await first(topic, { record: "message", format: "text", key_format: "base64" });
    expect(JSON.parse(texts[0]!)).toMatchObject({ key: "AQI=", value: 'a "text"\n' });
  });
});

describe("messages that are gone", () => {
  const cut = async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 10).map((id) => message(id)),
    );
    const [batch] = await cluster.batches({ stream: topic, batch: { records: 3, bytes: 100_000 } });
    await cluster.deleteBefore(topic, 7);
    return { topic, from: stored(batch!.cursor) };
  };

  test("are told of by a dead letter that says which, and reading goes on", async () => {
    const { topic, from } = await cut();
    const batches = await cluster.batches({ stream: topic, from });
    const [lost] = batches.flatMap(({ failures = [] }) => failures);
    expect(lost).toMatchObject({
      code: "NOT_FOUND",
      message: `Messages 3 to 6 of ${topic}/0 were deleted before they were read.`,
    });
    expect(JSON.parse(Buffer.from(lost!.raw).toString())).toEqual({ topic, partition: 0, from: 3, to: 7 });
    expect(batches.flatMap(recordsIn)).toEqual([null, { id: 7 }, { id: 8 }, { id: 9 }]);
  });

  test("end the read where that is asked for", async () => {
    const { topic, from } = await cut();
    await expect(cluster.batches({ stream: topic, from }, { on_lost: "fail" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "config.on_lost",
      message: expect.stringContaining("3 to 6"),
    });
  });

  test("a topic that was made anew is told of as well", async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 10).map((id) => message(id)),
    );
    const [batch] = await cluster.batches({ stream: topic });
    await cluster.admin.deleteTopics({ topics: [topic] });
    await cluster.broker.createTopic(topic);
    await cluster.produce(topic, [message(100)]);
    const batches = await cluster.batches({ stream: topic, from: stored(batch!.cursor) });
    expect(batches.flatMap(({ failures = [] }) => failures)).toMatchObject([
      { code: "NOT_FOUND", message: expect.stringContaining("made anew") },
    ]);
    expect(batches.flatMap(recordsIn)).toEqual([null, { id: 100 }]);
  });
});

/** The cluster names no leader for partition 1, until it is told to. */
function withoutLeader(topic: string): () => void {
  const metadata = KafkaClient.prototype.metadata;
  const spy = vi.spyOn(KafkaClient.prototype, "metadata").mockImplementation(async function (
    this: KafkaClient,
    topics,
  ) {
    const found = await metadata.call(this, topics);
    return found.map((each) => {
      if (each.topic !== topic) return each;
      const partitionMetadata = each.partitionMetadata.map((partition) =>
        partition.partitionId === 1 ? { ...partition, partitionErrorCode: 5, leader: -1 } : partition,
      );
      return { ...each, partitionMetadata };
    });
  });
  onTestFinished(() => spy.mockRestore());
  return () => spy.mockRestore();
}

describe("a partition without a leader", () => {
  test.each([
    ["a read to the end", false, {}],
    ["an endless read in a group", true, { group: `g-${randomUUID()}`, session_timeout: "60s" }],
  ])("does not hold up the others in %s, is named, and is read once it has one", async (_, endless, config) => {
    const topic = await cluster.topic(3);
    await cluster.produce(
      topic,
      range(0, 30).map((id) => message(id, id % 3)),
    );
    const appears = withoutLeader(topic);
    const aborter = new AbortController();
    const source = await cluster.open({ stream: topic, endless, signal: aborter.signal }, config);
    const read: number[] = [];
    const notices: (string | undefined)[] = [];
    try {
      for await (const batch of source.read()) {
        read.push(...ids(recordsIn(batch)));
        if (notices.at(-1) !== batch.notice || notices.length === 0) notices.push(batch.notice);
        if (batch.notice !== undefined && read.length === 20) appears();
        if (read.length === 30) {
          if (!endless) continue;
          aborter.abort(new Error("all is read"));
        }
      }
    } catch (error) {
      if (!aborter.signal.aborted) throw error;
    } finally {
      await source.close();
    }
    expect(sorted(read)).toEqual(range(0, 30));
    expect(sorted(read.slice(0, 20))).toEqual(range(0, 30).filter((id) => id % 3 !== 1));
    expect(notices.filter((notice) => notice !== undefined)).toEqual([
      `${topic}/1 has no leader at the moment, and is waited for.`,
    ]);
  });

  test("fails a read to the end once the others are read, so that the run decides how long to wait", async () => {
    const topic = await cluster.topic(2);
    await cluster.produce(topic, [message(0, 0), message(1, 1)]);
    withoutLeader(topic);
    const source = await cluster.open({ stream: topic });
    const read: number[] = [];
    let later = 0;
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + later);
    onTestFinished(() => clock.mockRestore());
    const reading = (async () => {
      for await (const batch of source.read()) {
        read.push(...ids(recordsIn(batch)));
        if (batch.notice !== undefined) later = 10_000;
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: "UNAVAILABLE",
      fault: "transient",
      message: `${topic}/1 has had no leader for 10 s.`,
    });
    expect(read).toEqual([0]);
    await source.close();
  });
});

/** An endless reader with what it read, which tells what is in the log as it is asked to. */
class Reader {
  readonly read: number[] = [];
  cursor: Json = null;
  readonly #source: Source;
  readonly #aborter: AbortController;
  readonly #ended: Promise<unknown>;

  private constructor(source: Source, aborter: AbortController, stores: boolean) {
    this.#source = source;
    this.#aborter = aborter;
    this.#ended = (async () => {
      for await (const batch of source.read()) {
        this.read.push(...ids(recordsIn(batch)));
        if (batch.count === 0) continue;
        this.cursor = stored(batch.cursor);
        if (stores) source.stored?.(this.cursor);
      }
    })().catch((error: unknown) => error);
  }

  static async start(
    stream: string,
    config: Partial<KafkaConfig>,
    { from = null as Json, stores = true } = {},
  ): Promise<Reader> {
    const aborter = new AbortController();
    const source = await cluster.open(
      { stream, from, batch: { ...aims, records: 10 }, endless: true, signal: aborter.signal },
      config,
    );
    return new Reader(source, aborter, stores);
  }

  /** Until so many were read. */
  async upTo(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.read.length).toBeGreaterThanOrEqual(count), { timeout: 60_000, interval: 20 });
  }

  /** Tells that all of it is in the log. */
  store(): void {
    this.#source.stored?.(this.cursor);
  }

  /** What it ended with. */
  async stop(): Promise<unknown> {
    this.#aborter.abort(new Error("stopped by the test"));
    const end = await this.#ended;
    await this.#source.close();
    return end;
  }

  /** As a node that dies: nothing is committed, nobody leaves. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }
}

/** What members ask of the real coordinator, in turn. */
function overhear(before: (request: string) => void = () => undefined): string[] {
  const heard: string[] = [];
  const call = KafkaClient.prototype.call;
  const spy = vi.spyOn(KafkaClient.prototype, "call").mockImplementation(function <T>(
    this: KafkaClient,
    node: number,
    ask: (broker: Broker) => Promise<T>,
  ) {
    return call.call(this, node, (broker) =>
      ask(
        new Proxy(broker, {
          get(target, name) {
            const found: unknown = Reflect.get(target, name, target);
            if (typeof found !== "function") return found;
            return async (...given: readonly unknown[]) => {
              const request = String(name);
              try {
                before(request);
                const answer: unknown = await found.apply(target, given);
                heard.push(request);
                return answer;
              } catch (error) {
                heard.push(`${request} refused`);
                throw error;
              }
            };
          },
        }),
      ),
    ) as Promise<T>;
  });
  onTestFinished(() => spy.mockRestore());
  return heard;
}

const total = (...readers: readonly Reader[]) => readers.reduce((sum, { read }) => sum + read.length, 0);

describe("a consumer group", () => {
  const group = (session_timeout = "6s") => ({ group: `g-${randomUUID()}`, session_timeout });
  /** For members that must not be taken for dead, however busy the machine is. */
  const patient = () => group("60s");

  test("commits what is in the log, and nothing before", async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 30).map((id) => message(id)),
    );
    const config = group();
    const careless = await Reader.start(topic, config, { stores: false });
    await careless.upTo(30);
    await careless.stop();
    // Where it began.
    expect(await cluster.committed(config.group, topic)).toEqual([0]);
    const reader = await Reader.start(topic, config);
    await reader.upTo(30);
    await vi.waitFor(async () => expect(await cluster.committed(config.group, topic)).toEqual([30]), {
      timeout: 60_000,
    });
    await reader.stop();
  });

  test("a commit that the coordinator refused is sent again before the group is joined anew", async () => {
    const topic = await cluster.topic();
    await cluster.produce(topic, [message(1)]);
    let refusals = 2;
    const heard = overhear((request) => {
      if (request !== "offsetCommit" || refusals-- <= 0) return;
      const message = "This is not the correct coordinator for this group";
      throw new KafkaJSProtocolError(
        Object.assign(new Error(message), { type: "NOT_COORDINATOR_FOR_GROUP", code: 16 }),
      );
    });
    const reader = await Reader.start(topic, group());
    await reader.upTo(1);
    await vi.waitFor(() => expect(heard.filter((request) => request === "joinGroup")).toHaveLength(2), {
      timeout: 60_000,
    });
    const rest = heard.slice(heard.indexOf("offsetCommit refused"));
    expect(rest.filter((request) => /Commit|join/.test(request)).slice(0, 4)).toEqual([
      "offsetCommit refused",
      "offsetCommit refused",
      "offsetCommit",
      "joinGroup",
    ]);
    await reader.stop();
  });

  test("a member whose records are slow to reach the log stays alive in a rebalance, and leaves them nobody twice", async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 30).map((id) => message(id)),
    );
    const config = patient();
    const slow = await Reader.start(topic, config, { stores: false });
    await slow.upTo(30);
    const heard = overhear();
    const other = await Reader.start(topic, config);
    const beatsIn = () => heard.filter((request) => request === "heartbeat refused").length;
    // The first tells of the rebalance.
    await vi.waitFor(() => expect(beatsIn()).toBeGreaterThan(1), { timeout: 60_000, interval: 20 });
    expect(heard).not.toContain("joinGroup");
    slow.store();
    await vi.waitFor(async () => expect(await cluster.committed(config.group, topic)).toEqual([30]), {
      timeout: 60_000,
    });
    await slow.stop();
    await cluster.produce(topic, [message(30)]);
    await vi.waitFor(() => expect(total(slow, other)).toBeGreaterThanOrEqual(31), { timeout: 60_000, interval: 20 });
    await other.stop();
    expect(sorted([...slow.read, ...other.read])).toEqual(range(0, 31));
  });

  test("a member that is stopped while it joins anew leaves, and the others need not wait for its session to end", async () => {
    const topic = await cluster.topic();
    await cluster.produce(topic, [message(0)]);
    const config = patient();
    const first = await Reader.start(topic, config);
    await first.upTo(1);
    const stopped = Promise.withResolvers<unknown>();
    let joins = 0;
    // The other one's, and then its own.
    overhear((request) => {
      if (request === "joinGroup" && ++joins === 2) stopped.resolve(first.stop());
    });
    const other = await Reader.start(topic, config);
    await stopped.promise;
    await cluster.produce(topic, [message(1)]);
    await vi.waitFor(() => expect(other.read).toEqual([1]), { timeout: 50_000, interval: 20 });
    await other.stop();
  });

  test("goes on from the log where the commit is behind it, and from what others committed where that is ahead", async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 20).map((id) => message(id)),
    );
    const config = group();
    const before = await Reader.start(topic, config, { stores: false });
    await before.upTo(20);
    await before.stop();
    // Committed: 0; the log has all.
    expect(await cluster.records({ stream: topic, from: before.cursor }, config)).toEqual([]);
    await cluster.produce(
      topic,
      range(20, 40).map((id) => message(id)),
    );
    await cluster.admin.setOffsets({ groupId: config.group, topic, partitions: [{ partition: 0, offset: "35" }] });
    expect(ids(await cluster.records({ stream: topic, from: before.cursor }, config))).toEqual(range(35, 40));
  });

  test("a log that is older than its own commit is made up for", async () => {
    const topic = await cluster.topic();
    await cluster.produce(
      topic,
      range(0, 20).map((id) => message(id)),
    );
    const config = group();
    const batches = await cluster.batches({ stream: topic, batch: { ...aims, records: 5 } }, config);
    expect(await cluster.committed(config.group, topic)).toEqual([20]);
    expect(ids(await cluster.records({ stream: topic, from: stored(batches[0]!.cursor) }, config))).toEqual(
      range(5, 20),
    );
  });

  test("start: latest begins with what comes, and keeps that place while nothing comes", async () => {
    const topic = await cluster.topic(2);
    await cluster.produce(topic, [message(1, 0), message(2, 1)]);
    const config = { ...group(), start: "latest" };
    expect(await cluster.records({ stream: topic }, config)).toEqual([]);
    await cluster.produce(topic, [message(3, 0), message(4, 1)]);
    expect(sorted(ids(await cluster.records({ stream: topic }, config)))).toEqual([3, 4]);
    await expect(cluster.open({ stream: topic }, { start: "latest" })).rejects.toMatchObject({ path: "config.start" });
  });

  test("members that come and go share the partitions: each message is read, none twice where all leave in order", async () => {
    const topic = await cluster.topic(6);
    const config = patient();
    let sent = 0;
    const send = async (count: number) => {
      await cluster.produce(
        topic,
        range(sent, sent + count).map((id) => message(id, id % 6)),
      );
      sent += count;
    };
    await send(120);
    const first = await Reader.start(topic, config);
    await first.upTo(120);
    const second = await Reader.start(topic, config);
    // Both have a share once both have read something new.
    await vi.waitFor(
      async () => {
        await send(12);
        expect(second.read.length).toBeGreaterThan(0);
      },
      { timeout: 60_000, interval: 200 },
    );
    const firstHad = first.read.length;
    await send(120);
    await vi.waitFor(() => expect(total(first, second)).toBeGreaterThanOrEqual(sent), {
      timeout: 60_000,
      interval: 20,
    });
    expect(first.read.length).toBeGreaterThan(firstHad);
    await first.stop();
    await send(60);
    await vi.waitFor(() => expect(total(first, second)).toBeGreaterThanOrEqual(sent), {
      timeout: 60_000,
      interval: 20,
    });
    await second.stop();
    expect(sorted([...first.read, ...second.read])).toEqual(range(0, sent));
    const committed = await cluster.committed(config.group, topic);
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBe(sent);
  });

  test("an endless read of a pattern finds topics that are made later, and does without those that are deleted", async () => {
    const prefix = randomUUID();
    await cluster.broker.createTopic(`${prefix}-1`);
    await cluster.produce(`${prefix}-1`, [message(1)]);
    const reader = await Reader.start("all", { ...group(), streams: { all: { pattern: `${prefix}-\\d` } } });
    await reader.upTo(1);
    await cluster.broker.createTopic(`${prefix}-2`);
    await cluster.produce(`${prefix}-2`, [message(2)]);
    await reader.upTo(2);
    await cluster.admin.deleteTopics({ topics: [`${prefix}-1`] });
    await cluster.broker.createTopic(`${prefix}-3`);
    await cluster.produce(`${prefix}-3`, [message(3)]);
    await reader.upTo(3);
    expect(reader.read).toEqual([1, 2, 3]);
    expect(await reader.stop()).toMatchObject({ message: "stopped by the test" });
  });

  test("a topic that is deleted while it is read ends the read with its name", async () => {
    const topic = await cluster.topic();
    await cluster.produce(topic, [message(1)]);
    const reader = await Reader.start(topic, {});
    await reader.upTo(1);
    await cluster.admin.deleteTopics({ topics: [topic] });
    expect(await reader.ended).toMatchObject({
      code: "NOT_FOUND",
      path: "source.stream",
      message: expect.stringContaining(topic),
    });
    await reader.stop();
  });
});
