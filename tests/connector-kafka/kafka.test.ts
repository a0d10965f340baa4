import { setImmediate } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { describeConnector, type Fixture } from "../../connectors/conformance/index.ts";
import { compressions } from "../../connectors/kafka/compression.ts";
import { type KafkaConfig, kafka } from "../../connectors/kafka/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { certifyBuiltIn } from "../support/certify.ts";
import { kafkaUser } from "../support/kafka.ts";
import { localhostTls } from "../support/tls.ts";
import { context, never, useKafka, write } from "./cluster.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const cluster = useKafka();

async function fixture(): Promise<Fixture> {
  const records: JsonObject[] = Array.from({ length: 20 }, (_, index) => ({
    id: index + 1,
    name: `name ${index}`,
    note: index % 3 === 0 ? null : 'ä"\\\n'.repeat(index * 10),
  }));
  const stream = await cluster.topic();
  await cluster.produce(
    stream,
    records.map((record) => ({ value: JSON.stringify(record) })),
  );
  const { broker } = cluster;
  const brokers = [broker.address];
  const sasl = { mechanism: "plain", username: kafkaUser.username, password: "wrong" };
  const landed = "landed";
  await broker.createTopic(landed, 3);
  return {
    context,
    config: { brokers, streams: { landed: { write: { key: "{{ $.id }}" } } } },
    badConfigs: [
      { config: { brokers: ["127.0.0.1:1"] }, path: "config.brokers" },
      { config: {}, path: "config.brokers" },
      { config: { brokers: [`127.0.0.1:${broker.ports.sasl}`], sasl }, path: "config.sasl" },
      { config: { brokers: [`localhost:${broker.ports.tls}`], tls: true }, path: "config.tls" },
      { config: { brokers: [`localhost:${broker.ports.mtls}`], tls: { ca: localhostTls.cert } }, path: "config.tls" },
      { config: { brokers, streams: { gone: { topic: "no-such-topic" } } }, path: "config.streams.gone" },
    ],
    badCredentials: ["plain", "scram-sha-512"].map((mechanism) => ({
      brokers: [`127.0.0.1:${broker.ports.sasl}`],
      sasl: { ...sasl, mechanism },
    })),
    source: {
      stream,
      mode: "full",
      records,
      missing: { stream: "no-such-topic", path: "source.stream" },
      drift: () => cluster.produce(stream, [{ value: JSON.stringify({ id: "21", colour: "red" }) }]),
    },
    destination: {
      stream: landed,
      modes: ["append", "upsert"],
      key: ["id"],
      records: records.slice(0, 8),
      refused: { id: 99, name: "x".repeat(2_000_000) },
      // As a compacted topic ends.
      stored: async () => {
        const messages = await cluster.messages(landed);
        const latest = new Map(messages.map(({ key, value }) => [String(key), String(value)]));
        return [...latest.values()].map((value) => JSON.parse(value) as Json);
      },
      clear: async () => {
        await cluster.admin.deleteTopics({ topics: [landed] });
        await cluster.broker.createTopic(landed, 3);
      },
    },
    close: async () => {
      await cluster.admin.deleteTopics({ topics: [landed] });
    },
  };
}

describeConnector(kafka, fixture);

test("kafka is certified as a plugin, and documented so", { timeout: 600_000 }, async () =>
  certifyBuiltIn("kafka", await fixture()),
);

describe("log-in and TLS", () => {
  const login = (mechanism: string, password: string = kafkaUser.password) =>
    ({ sasl: { mechanism, username: kafkaUser.username, password } }) as Partial<KafkaConfig>;
  const check = (config: Partial<KafkaConfig>) =>
    cluster
      .connector(config)
      .check(never)
      .then(
        () => "ok",
        ({ code, fault, path, message }) => ({ code, fault, path, message: String(message) }),
      );

  test.each(["plain", "scram-sha-256", "scram-sha-512"])(
    "%s lets the right password in and no other",
    async (mechanism) => {
      const brokers = [`127.0.0.1:${cluster.broker.ports.sasl}`];
      expect(await check({ brokers, ...login(mechanism) })).toBe("ok");
      const refused = await check({ brokers, ...login(mechanism, "wrong-kafka-password") });
      expect(refused).toMatchObject({ code: "UNAUTHORIZED", fault: "destination", path: "config.sasl" });
      expect(JSON.stringify(refused)).not.toContain("wrong-kafka-password");
    },
  );

  test("brokers are trusted by their authority's certificate alone, and by their name", async () => {
    const { ports } = cluster.broker;
    const brokers = [`localhost:${ports.tls}`];
    expect(await check({ brokers, tls: { ca: localhostTls.cert } })).toBe("ok");
    expect(await check({ brokers, tls: { verify: false } })).toBe("ok");
    const untrusted = { code: "UNAVAILABLE", fault: "destination", path: "config.tls" };
    expect(await check({ brokers, tls: true })).toMatchObject(untrusted);
    const other = [`127.0.0.1:${ports.tls}`];
    expect(await check({ brokers: other, tls: { ca: localhostTls.cert } })).toMatchObject(untrusted);
    expect(await check({ brokers: other, tls: { ca: localhostTls.cert, server_name: "localhost" } })).toBe("ok");
  });

  test("a client's certificate is shown where the broker wants one", async () => {
    const brokers = [`localhost:${cluster.broker.ports.mtls}`];
    const { cert, key } = localhostTls;
    expect(await check({ brokers, tls: { ca: cert, cert, key } })).toBe("ok");
    expect(await check({ brokers, tls: { ca: cert } })).toMatchObject({ fault: "destination", path: "config.tls" });
  });

  test("records go and come through TLS and log-in", async () => {
    const topic = await cluster.topic();
    const secure = { brokers: [`127.0.0.1:${cluster.broker.ports.sasl}`], ...login("scram-sha-512") };
    const destination = await cluster.destination(topic, secure);
    expect(await write(destination, [{ id: 1 }, { id: 2 }])).toEqual([]);
    await destination.close();
    const tls = { brokers: [`localhost:${cluster.broker.ports.tls}`], tls: { ca: localhostTls.cert } };
    expect(await cluster.records({ stream: topic }, tls)).toEqual([{ id: 1 }, { id: 2 }]);
  });
});

describe("compression", () => {
  const records = Array.from({ length: 700 }, (_, id) => ({ id, text: `some text of record ${id} `.repeat(8) }));

  // The broker, which is Java, compresses anew what comes to such a topic: its codecs and ours read each other.
  test.each(compressions)("%s is written for Java and kafkajs, and read from them", async (compression) => {
    const recompressed = await cluster.topic(1, { "compression.type": "gzip" });
    const destination = await cluster.destination(recompressed, { write: { compression } });
    expect(await write(destination, records)).toEqual([]);
    await destination.close();
    expect(await cluster.values(recompressed)).toEqual(records);

    const type = compression === "none" ? "uncompressed" : compression;
    const topic = await cluster.topic(1, { "compression.type": type });
    await cluster.produce(
      topic,
      records.map((record) => ({ value: JSON.stringify(record) })),
      1,
    );
    expect(await cluster.records({ stream: topic })).toEqual(records);
  });
});

describe("what is written", () => {
  test("key, headers, the record's id and a value of its own come of templates", async () => {
    const topic = await cluster.topic(4);
    const streams = {
      orders: {
        topic,
        write: {
          key: "{{ $.customer }}",
          value: "{{ $.order }}",
          headers: { kind: "order", region: "{{ $.region }}", count: "{{ $.count }}" },
          id_header: "record-id",
        },
      },
    };
    const destination = await cluster.destination("orders", { streams });
    const order = { no: 1, big: JSON.rawJSON("12345678901234567890") as unknown as Json };
    expect(
      await write(destination, [
        { customer: "ä", order, region: "eu", count: 3 },
        { customer: 7, order: null },
      ]),
    ).toEqual([]);
    await destination.close();
    const found = (await cluster.messages(topic)).map(({ key, value, headers = {} }) => ({
      key: String(key),
      value: value === null ? null : String(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, String(each)])),
    }));
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({
      key: "ä",
      value: '{"no":1,"big":12345678901234567890}',
      headers: { kind: "order", region: "eu", count: "3", "record-id": "id-0" },
    });
    expect(found).toContainEqual({ key: "7", value: null, headers: { kind: "order", "record-id": "id-1" } });
  });

  test("mode upsert takes the record's key, and records of a key stay in order", async () => {
    const topic = await cluster.topic(5);
    const destination = await cluster.destination(topic, {}, "upsert", ["tenant", "id"]);
    const records = Array.from({ length: 200 }, (_, n) => ({ tenant: `t${n % 3}`, id: n % 7, n }));
    await Promise.all([write(destination, records.slice(0, 100)), write(destination, records.slice(100))]);
    expect(await write(destination, [{ tenant: "t1", n: 1 }])).toMatchObject([
      { index: 0, code: "VALIDATION_ERROR", message: expect.stringContaining("no id") },
    ]);
    await destination.close();
    const byKey = Map.groupBy(await cluster.messages(topic), ({ key }) => String(key));
    expect(byKey.size).toBe(21);
    for (const [key, messages] of byKey) {
      expect(new Set(messages.map(({ partition }) => partition)).size).toBe(1);
      const order = messages.map(({ value }) => (JSON.parse(String(value)) as { n: number }).n);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(key).toMatch(/^\["t\d",\d\]$/);
    }
  });

  test("keys go to the partitions that kafkajs and Java choose", async () => {
    const topic = await cluster.topic(7);
    const keys = Array.from({ length: 60 }, (_, n) => `${"käy".repeat(n % 5)}${n}`);
    await cluster.produce(
      topic,
      keys.map((key) => ({ key, value: "{}" })),
    );
    const theirs = new Map((await cluster.messages(topic)).map(({ key, partition }) => [String(key), partition]));
    const destination = await cluster.destination(topic, { write: { key: "{{ $.key }}" } });
    await write(
      destination,
      keys.map((key) => ({ key })),
    );
    await destination.close();
    for (const { key, partition } of await cluster.messages(topic))
      expect([String(key), partition]).toEqual([String(key), theirs.get(String(key))]);
  });

  test("a partition may be named; one that is not there is the record's fault", async () => {
    const topic = await cluster.topic(2);
    const destination = await cluster.destination(topic, { write: { partition: "{{ $.p }}" } });
    const failed = await write(destination, [{ p: 1 }, { p: 2 }, { p: "x" }, { p: 0 }]);
    await destination.close();
    expect(failed).toMatchObject([
      { index: 1, code: "VALIDATION_ERROR" },
      { index: 2, code: "VALIDATION_ERROR" },
    ]);
    expect((await cluster.messages(topic)).map(({ partition, value }) => [partition, String(value)])).toEqual([
      [0, '{"p":0}'],
      [1, '{"p":1}'],
    ]);
  });

  test("records that the topic takes not fail alone, however many there are", async () => {
    const topic = await cluster.topic(1, { "max.message.bytes": "20000" });
    const destination = await cluster.destination(topic);
    const records = Array.from({ length: 120 }, (_, id) => ({ id, text: "x".repeat(id % 40 === 7 ? 30_000 : 1_000) }));
    const failed = await write(destination, records);
    expect(failed.map(({ index, code }) => [index, code])).toEqual(
      [7, 47, 87].map((index) => [index, "VALIDATION_ERROR"]),
    );
    expect(await write(destination, [{ id: "after" }])).toEqual([]);
    await destination.close();
    const ids = ((await cluster.values(topic)) as { id: Json }[]).map(({ id }) => id);
    expect(ids).toEqual([...records.filter(({ id }) => id % 40 !== 7).map(({ id }) => id), "after"]);
  });

  test("a topic that is compacted refuses what has no key", async () => {
    const topic = await cluster.topic(1, { "cleanup.policy": "compact" });
    const destination = await cluster.destination(topic, { write: { key: "{{ $.key }}" } });
    const failed = await write(destination, [{ key: "a" }, { id: 1 }, { key: "b" }]);
    await destination.close();
    expect(failed).toMatchObject([
      { index: 1, code: "VALIDATION_ERROR", message: expect.stringContaining("without a key") },
    ]);
    expect((await cluster.messages(topic)).map(({ key }) => String(key))).toEqual(["a", "b"]);
  });

  test("writes that were given up while the broker was slow hold up no later ones", async () => {
    const topic = await cluster.topic();
    const destination = await cluster.destination(topic);
    expect(await write(destination, [{ id: 0 }])).toEqual([]);
    const { pid } = cluster.broker;
    process.kill(pid, "SIGSTOP");
    try {
      const aborter = new AbortController();
      const sent = write(destination, [{ id: 1 }], { signal: aborter.signal });
      await setImmediate();
      const queued = write(destination, [{ id: 2 }], { signal: aborter.signal });
      aborter.abort(new Error("given up"));
      for (const each of [sent, queued]) await expect(each).rejects.toThrow("given up");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const end = async () => Number((await cluster.admin.fetchTopicOffsets(topic))[0]?.high);
    await vi.waitFor(async () => expect(await end()).toBe(2), { timeout: 60_000, interval: 50 });
    expect(await write(destination, [{ id: 3 }], { signal: AbortSignal.timeout(30_000) })).toEqual([]);
    await destination.close();
    expect(await cluster.values(topic)).toEqual([{ id: 0 }, { id: 1 }, { id: 3 }]);
  });

  test("a topic that is gone is the destination's fault", async () => {
    const topic = await cluster.topic();
    const destination = await cluster.destination(topic, { timeout: { read: "1s" } });
    await cluster.admin.deleteTopics({ topics: [topic] });
    await expect(write(destination, [{ id: 1 }])).rejects.toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "destination.stream",
    });
    await destination.close();
    await expect(cluster.destination(topic)).rejects.toMatchObject({ code: "NOT_FOUND", path: "destination.stream" });
  });

  test.each(["structured", "binary"] as const)(
    "CloudEvents in mode %s are written, and read as their data",
    async (mode) => {
      const topic = await cluster.topic();
      const cloudevents = { mode, source: "/shop", type: "org.example.order", subject: "№ {{ $.id }}" };
      const destination = await cluster.destination(topic, { cloudevents });
      expect(await write(destination, [{ id: 1 }, { id: 2 }])).toEqual([]);
      await destination.close();
      const [{ headers = {}, value } = { headers: {}, value: null }] = await cluster.messages(topic);
      if (mode === "binary") {
        expect(String(value)).toBe('{"id":1}');
        expect(Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, String(each)]))).toEqual({
          ce_specversion: "1.0",
          ce_id: "id-0",
          ce_source: "/shop",
          ce_type: "org.example.order",
          ce_subject: "№ 1",
          "content-type": "application/json",
        });
      } else {
        expect(String(headers["content-type"])).toBe("application/cloudevents+json");
        expect(JSON.parse(String(value))).toMatchObject({
          specversion: "1.0",
          id: "id-0",
          subject: "№ 1",
          data: { id: 1 },
        });
      }
      await cluster.produce(topic, [{ value: '{"no":"event"}' }]);
      const [batch] = await cluster.batches({ stream: topic }, { cloudevents: {} });
      expect(batch).toMatchObject({
        count: 3,
        failures: [{ index: 2, code: "VALIDATION_ERROR", message: expect.stringContaining("no CloudEvent") }],
      });
      expect(Buffer.from(batch!.data).toString()).toBe('{"id":1}\n{"id":2}\nnull');
      const events = await cluster.records({ stream: topic }, { cloudevents: { record: "event" } });
      expect(events[0]).toMatchObject({ specversion: "1.0", id: "id-0", subject: "№ 1", data: { id: 1 } });
    },
  );
});
