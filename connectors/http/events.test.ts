import { type CloudEvent, HTTP } from "cloudevents";
import { expect, test } from "vitest";
import {
  batchOf,
  connect,
  cursorAfter,
  openDestination,
  readBatches,
  recordsIn,
  serveHere,
} from "../../tests/support/http-server.ts";
import type { Json, JsonObject } from "../sdk/index.ts";

const wrap = { source: "/shop/{{ $.shop }}", type: "org.example.order", subject: "{{ $.id }}", time: "{{ $.at }}" };
const order = { id: 90071992547409, shop: "ä b", at: "2024-05-01T10:00:00Z" };

async function write(cloudevents: JsonObject, records: readonly Json[], append: JsonObject = {}) {
  const server = await serveHere(() => ({ status: 202 }));
  const connector = connect({ base_url: server.url, concurrency: 1, streams: { e: { cloudevents, append } } });
  const result = await (await openDestination(connector, "e")).write(batchOf(records));
  return { asked: server.asked, ...result };
}

test("records become events, structured: attributes by templates, the record as data, its id as the id", async () => {
  const { asked, failed } = await write({ ...wrap, source: "/shop" }, [order, { id: 1 }]);
  expect(failed).toEqual([]);
  expect(asked.map(({ headers }) => headers["content-type"])).toEqual(
    new Array(2).fill("application/cloudevents+json"),
  );
  expect(asked.map(({ body }) => JSON.parse(body) as Json)).toEqual([
    {
      specversion: "1.0",
      id: "id-0",
      source: "/shop",
      type: "org.example.order",
      subject: String(order.id),
      time: order.at,
      datacontenttype: "application/json",
      data: order,
    },
    {
      specversion: "1.0",
      id: "id-1",
      source: "/shop",
      type: "org.example.order",
      subject: "1",
      datacontenttype: "application/json",
      data: { id: 1 },
    },
  ]);
});

test("binary events have their attributes in headers, percent-encoded", async () => {
  const { asked } = await write({ ...wrap, mode: "binary", source: "/shop", subject: "€ {{ $.id }}" }, [order]);
  expect(asked[0]?.headers).toMatchObject({
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "id-0",
    "ce-source": "/shop",
    "ce-subject": `%E2%82%AC%20${order.id}`,
    "ce-time": order.at,
  });
  expect(JSON.parse(asked[0]!.body)).toEqual(order);
});

test("the package of the CloudEvents project reads what is written, in each mode", async () => {
  for (const mode of ["structured", "binary", "batch"]) {
    const { asked } = await write({ ...wrap, mode, source: "/shop" }, [order]);
    const [{ headers, body }] = asked as [(typeof asked)[0]];
    const found = HTTP.toEvent({ headers, body });
    const event = (Array.isArray(found) ? found[0] : found) as CloudEvent<Json>;
    expect(event).toMatchObject({ id: "id-0", source: "/shop", type: "org.example.order", data: order });
  }
});

test("a batch is an array of events; a record that makes none fails alone", async () => {
  const { asked, failed } = await write({ ...wrap, mode: "batch", source: "/shop" }, [
    order,
    { id: 2, at: "lunchtime" },
    { id: 3 },
  ]);
  expect(failed).toEqual([
    { index: 1, code: "VALIDATION_ERROR", message: "The record makes no CloudEvent: its time is not of RFC 3339." },
  ]);
  const events = asked.flatMap(({ headers, body }) => {
    expect(headers["content-type"]).toBe("application/cloudevents-batch+json");
    return JSON.parse(body) as { data: { id: number } }[];
  });
  expect(events.map(({ data }) => data.id)).toEqual([order.id, 3]);
});

test("records that are events go as they are", async () => {
  const event = { specversion: "1.0", id: "7", source: "/s", type: "t", n: 1, data: { a: 1 } };
  const structured = await write({ record: "event" }, [event, { id: "8" }]);
  expect(structured.asked.map(({ body }) => JSON.parse(body) as Json)).toEqual([event]);
  expect(structured.failed).toMatchObject([{ index: 1, code: "VALIDATION_ERROR" }]);
  const binary = await write({ record: "event", mode: "binary" }, [event]);
  expect(binary.asked[0]?.headers).toMatchObject({ "ce-id": "7", "ce-n": "1", "content-type": "application/json" });
  expect(binary.asked[0]?.body).toBe('{"a":1}');
});

test("without source and type no event can be made of a record", async () => {
  await expect(write({ type: "t" }, [order])).rejects.toMatchObject({ path: "config.streams.e.cloudevents.source" });
});

test("events that are read give their data, and what is none is a record that failed", async () => {
  const event = (id: string, data: Json) => ({ specversion: "1.0", id, source: "/s", type: "t", data });
  const server = await serveHere(({ path }) => ({
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: path === "/events" ? [event("1", { n: 1 }), { id: "2" }, event("3", { n: 3 }), event("4", "x")] : [],
  }));
  const streams = { events: { cloudevents: {} }, whole: { path: "/events", cloudevents: { record: "event" } } };
  const connector = connect({ base_url: server.url, streams });
  const [batch] = await readBatches(connector, "events");
  expect(recordsIn([batch!])).toEqual([{ n: 1 }, null, { n: 3 }, "x"]);
  expect(batch?.failures).toEqual([
    {
      index: 1,
      code: "VALIDATION_ERROR",
      message: 'A record of events is no CloudEvent: its specversion is not "1.0".',
      raw: Buffer.from('{"id":"2"}'),
    },
  ]);
  expect(recordsIn(await readBatches(connector, "whole"))[0]).toEqual(event("1", { n: 1 }));
  const cut = await readBatches(connector, "events", { batch: { records: 1, bytes: 1000 } });
  for (const at of [1, 2, 3]) {
    const rest = await readBatches(connector, "events", { from: cursorAfter(cut.slice(0, at)) });
    expect(recordsIn(rest)).toEqual([{ n: 1 }, null, { n: 3 }, "x"].slice(at));
  }
});

test("an answer in binary mode is one event", async () => {
  const server = await serveHere(() => ({
    headers: { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-subject": "a%20b" },
    body: { n: 1 },
  }));
  const streams = { data: { cloudevents: {} }, whole: { cloudevents: { record: "event" } } };
  const connector = connect({ base_url: server.url, streams });
  expect(recordsIn(await readBatches(connector, "data"))).toEqual([{ n: 1 }]);
  expect(recordsIn(await readBatches(connector, "whole"))).toMatchObject([{ subject: "a b", data: { n: 1 } }]);
});

test("an event that is no UTF-8 is a record that failed, and its bytes are not changed into others", async () => {
  const good = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}';
  const bad = Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.from([0x22, 0xe9, 0x22, 0x7d])]);
  const server = await serveHere((_asked, response) => {
    response.writeHead(200, { "content-type": "application/cloudevents-batch+json" });
    response.end(Buffer.concat([Buffer.from(`[${good},`), bad, Buffer.from("]")]));
    return undefined;
  });
  const connector = connect({ base_url: server.url, streams: { events: { cloudevents: {} } } });
  const [batch] = await readBatches(connector, "events");
  expect(Buffer.from(batch!.data).toString()).toBe("1\nnull");
  expect(batch!.failures).toMatchObject([
    { index: 1, message: "A record of events is no CloudEvent: it is no UTF-8." },
  ]);
  expect(Buffer.from(batch!.failures![0]!.raw)).toEqual(bad);
});
