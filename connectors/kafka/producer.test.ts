import { expect, test } from "vitest";
import { ConnectorError } from "../sdk/index.ts";
import type { KafkaClient, OwnRequest } from "./kafkajs.ts";
import { type Item, TopicProducer } from "./producer.ts";
import type { Produced } from "./requests.ts";
import type { Writer } from "./wire.ts";

const led = [1, 2].map((leader) => ({ topic: "t", partition: leader, leader }));
const options = {
  topic: "t",
  compression: "none" as const,
  batchBytes: 1_000_000,
  patienceMs: 60_000,
  partitions: async () => led,
};

type Send = (leader: number, request: Buffer, begun: () => void) => Promise<readonly Produced[]>;

/** As kafkajs does it: what was written is copied a few ticks later. */
function clientOf(send: Send): KafkaClient {
  let producers = 0;
  const client = {
    producerId: async () => ({ producerId: String(++producers), producerEpoch: 0 }),
    send: async (leader: number, own: OwnRequest<readonly Produced[]>, bytes: Writer, begun = () => {}) => {
      own.write(bytes);
      const view = bytes.bytes;
      for (let tick = 0; tick < 5; tick++) await new Promise((resolve) => setImmediate(resolve));
      return send(leader, Buffer.from(view), begun);
    },
  };
  return client as unknown as KafkaClient;
}

/** A message, and what becomes of it. */
function messageOf(value: string): { item: Item; done: Promise<string> } {
  const { promise: done, resolve } = Promise.withResolvers<string>();
  const job = {
    isGone: false,
    confirmed: () => resolve("confirmed"),
    refused: () => resolve("refused"),
    failed: () => resolve("failed"),
    left: () => resolve("left"),
  };
  return { item: { key: null, value, headers: [], job, index: 0 } as Item, done };
}

test("each leader gets what is its own, whichever requests are under way at once", async () => {
  const got = new Map<number, string>();
  const client = clientOf(async (leader, request) => {
    got.set(leader, request.toString("latin1"));
    return [{ partition: leader, errorCode: 0 }];
  });
  const producer = new TopicProducer(client, options);
  producer.led(led);
  const [one, two] = [messageOf("a".repeat(30)), messageOf("b".repeat(30))];
  producer.send(1, [one.item]);
  producer.send(2, [two.item]);
  expect(await Promise.all([one.done, two.done])).toEqual(["confirmed", "confirmed"]);
  expect([1, 2].map((leader) => /a{30}|b{30}/.exec(got.get(leader) ?? "")?.[0])).toEqual([
    "a".repeat(30),
    "b".repeat(30),
  ]);
});

test("a batch whose connection broke in use is sent again as it was, whatever the error says", async () => {
  const sent: string[] = [];
  const client = clientOf(async (leader, request, begun) => {
    begun();
    sent.push(request.toString("latin1"));
    if (sent.length === 1) throw new ConnectorError("UNAVAILABLE", "cannot be trusted", { fault: "destination" });
    return [{ partition: leader, errorCode: 0 }];
  });
  const producer = new TopicProducer(client, options);
  producer.led(led);
  const message = messageOf("a");
  producer.send(1, [message.item]);
  expect(await message.done).toBe("confirmed");
  expect(sent).toHaveLength(2);
  expect(sent[1]).toBe(sent[0]);
});

test("what never had a connection is not waited for, and counts as not sent", async () => {
  const client = clientOf(async () => {
    throw new ConnectorError("UNAVAILABLE", "cannot be reached", { fault: "destination" });
  });
  const producer = new TopicProducer(client, options);
  producer.led(led);
  const message = messageOf("a");
  producer.send(1, [message.item]);
  expect(await message.done).toBe("left");
});

test("what was given up with a batch that was sent, and stands behind it, counts as not sent", async () => {
  const client = clientOf(async (leader, _request, begun) => {
    begun();
    // NOT_ENOUGH_REPLICAS
    return [{ partition: leader, errorCode: 19 }];
  });
  const producer = new TopicProducer(client, { ...options, batchBytes: 100, patienceMs: 1 });
  producer.led(led);
  const messages = ["a", "b"].map((each) => messageOf(each.repeat(90)));
  producer.send(
    1,
    messages.map(({ item }) => item),
  );
  expect(await Promise.all(messages.map(({ done }) => done))).toEqual(["failed", "left"]);
});
