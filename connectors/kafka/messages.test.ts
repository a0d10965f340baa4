import { expect, test } from "vitest";
import type { StreamSettings } from "./config.ts";
import { Messages } from "./messages.ts";
import { BatchReader, type OutMessage, writeBatch } from "./record-batch.ts";
import { Writer } from "./wire.ts";

const bad = Buffer.from([0x22, 0xff, 0xe9, 0x22]);
/** What is read of messages, as texts and failures. */
function read(settings: StreamSettings, messages: readonly Partial<OutMessage>[], time = 1_700_000_000_000) {
  const to = new Writer(16);
  const all = messages.map((message) => ({ key: null, value: "null", headers: [], ...message }));
  const producer = { id: 7n, epoch: 0 };
  writeBatch(to, all, { producer, sequence: 0, time, compression: "none", body: new Writer(16) });
  const collected = new Messages(settings, { records: 100, bytes: 100_000 });
  collected.begin({ topic: "orders", partition: 0 });
  for (const reader = new BatchReader(Buffer.from(to.bytes), 0, []); reader.next(); ) collected.add(reader);
  const { data, failures = [] } = collected.take(null);
  return { texts: Buffer.from(data).toString().split("\n"), failures };
}

test("a time that is none, such as nanoseconds, is null, and stops nothing", () => {
  for (const [time, timestamp] of [
    [1_700_000_000_000, "2023-11-14T22:13:20.000Z"],
    [8_640_000_000_000_001, null],
  ] as const) {
    const { texts, failures } = read({ record: "message" }, [{ value: "1" }], time);
    expect(failures).toEqual([]);
    expect(JSON.parse(texts[0]!)).toMatchObject({ value: 1, timestamp });
  }
});

test("an event that is no UTF-8, in its text, data or attributes, is a record that failed, and changes into nothing else", () => {
  const json = ["content-type", "application/json"] as const;
  const attributes = Object.entries({ ce_specversion: "1.0", ce_id: "1", ce_source: "/s", ce_type: "t" });
  const good = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}';
  const { texts, failures } = read({ cloudevents: {} }, [
    { value: good },
    { value: Buffer.concat([Buffer.from(good.slice(0, -2)), bad, Buffer.from("}")]) },
    { value: bad, headers: [...attributes, json] },
    { value: "2", headers: [...attributes, ["ce_subject", bad], json] },
    { value: bad, headers: [...attributes, ["content-type", "text/plain"]] },
  ]);
  expect(texts).toEqual(["1", "null", "null", "null", "null"]);
  expect(failures.map(({ index, code }) => [index, code])).toEqual(
    [1, 2, 3, 4].map((index) => [index, "VALIDATION_ERROR"]),
  );
  expect(
    failures.map(({ message }) => message.slice("The message at offset 1 of orders/0 is no CloudEvent: ".length)),
  ).toEqual([
    "it is no UTF-8.",
    "a header or its data cannot be read.",
    "its header ce_subject is no UTF-8.",
    "a header or its data cannot be read.",
  ]);
});
