import { expect, test } from "vitest";
import { readBatches, recordsIn, serveHere } from "../../../tests/support/http-server.ts";
import type { Json } from "../json.ts";
import { apiSource } from "./api-source.ts";
import type { Paging } from "./paging.ts";

function connectorOf(url: string, paging?: Paging) {
  const incremental = { field: "day", param: "since" };
  const type = apiSource({
    type: "shop",
    version: "1.0.0",
    title: "Shop",
    description: "A shop.",
    config: { type: "object" },
    api: () => ({ baseUrl: url, retries: 0 }),
    streams: { items: { path: "items", records: "data", ...(paging && { paging }), key: ["id"], incremental } },
  });
  return type.create({}, { dataDir: "/nonexistent", fileRoots: [] });
}

test("a page that leads to one that was read before ends the reading, however long the circle is", async () => {
  const circle: Record<string, string> = { "": "a", a: "b", b: "c", c: "a" };
  const server = await serveHere(({ query }) => {
    const after = query.get("after") ?? "";
    return { body: { data: [{ id: after }], next: circle[after] ?? null, link: `/items?after=${circle[after]}` } };
  });
  for (const paging of [
    { by: "cursor", param: "after", path: "next" },
    { by: "next_url", path: "link" },
  ] as const) {
    await expect(readBatches(connectorOf(server.url, paging), "items")).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      fault: "destination",
      message: "items: a page leads to one that was read before.",
    });
  }
});

test("a server that ignores the parameter of the page is noticed by its second page", async () => {
  const server = await serveHere(() => ({ body: { data: [{ id: 1 }, { id: 2 }] } }));
  for (const paging of [
    { by: "page", param: "page" },
    { by: "offset", param: "offset", size: ["limit", 2] },
  ] as const) {
    server.asked.length = 0;
    await expect(readBatches(connectorOf(server.url, paging), "items")).rejects.toMatchObject({
      message: "items: a page holds the same records as the one before it.",
    });
    expect(server.asked).toHaveLength(2);
  }
});

test("pages of other records are read to the last, empty ones among them", async () => {
  const pages: Json[][] = [[{ id: 1 }], [], [], [{ id: 2 }]];
  const server = await serveHere(({ query }) => {
    const at = Number(query.get("after") ?? 0);
    return { body: { data: pages[at]!, next: at + 1 < pages.length ? at + 1 : null } };
  });
  const batches = await readBatches(connectorOf(server.url, { by: "cursor", param: "after", path: "next" }), "items");
  const texts = batches.map(({ data }) => Buffer.from(data).toString());
  expect(texts.join("\n")).toBe('{"id":1}\n{"id":2}');
});

/** Readings one after another, each from where the one before ended: the records and ids of each. */
async function readings(connector: ReturnType<typeof connectorOf>, times: number, before: (nth: number) => void) {
  const all: { records: Json[]; ids: string[]; cursor: Json }[] = [];
  for (let nth = 0; nth < times; nth++) {
    before(nth);
    const options = { mode: "incremental" as const, cursorField: "day", from: all.at(-1)?.cursor ?? null };
    const batches = await readBatches(connector, "items", options);
    const ids = batches.flatMap(({ count, position: { base, offset, ordinals } }) =>
      Array.from({ length: count }, (_, index) => `${base}:${ordinals?.[index] ?? offset + index}`),
    );
    all.push({ records: recordsIn(batches), ids, cursor: batches.at(-1)?.cursor ?? options.from });
  }
  return all;
}

test("a cursor keeps its size however many records have the same value, and of those up to a thousand come once", async () => {
  let items: Json[] = [];
  const server = await serveHere(() => ({ body: { data: items } }));
  const day = "2026-11-22";
  const of = (from: number, count: number) => Array.from({ length: count }, (_, n) => ({ id: from + n, day }));
  const [first, second, third] = await readings(connectorOf(server.url), 3, (nth) => {
    items = [...items, ...of(items.length, [900, 50, 20_000][nth]!)];
  });
  expect(first?.records).toHaveLength(900);
  expect(second?.records).toEqual(of(900, 50));
  expect(third?.records).toEqual(of(950, 20_000));
  expect(JSON.stringify(third?.cursor).length).toBeLessThan(30_000);
});

test("a record that changed within the same value comes again, and each has an id of its own over all readings", async () => {
  const day = "2026-11-22";
  const states: Json[][] = [
    [{ id: 1, day, state: "new" }],
    [{ id: 1, day, state: "paid" }],
    [{ id: 1, day, state: "sent" }],
  ];
  let items: Json[] = [];
  const server = await serveHere(() => ({ body: { data: items } }));
  const all = await readings(connectorOf(server.url), 3, (nth) => {
    items = states[nth]!;
  });
  expect(all.map(({ records }) => records)).toEqual(states);
  expect(new Set(all.flatMap(({ ids }) => ids)).size).toBe(3);
});

test("a cursor field may be null at first, and of more digits than a double has", async () => {
  const at = "17000000000000000199";
  let body = `{"data":[{"id":1,"day":null},{"id":2,"day":${at}}]}`;
  const server = await serveHere(() => ({ body }));
  const [, second] = await readings(connectorOf(server.url), 2, (nth) => {
    if (nth === 1) body = `{"data":[{"id":2,"day":${at}},{"id":3,"day":${at}}]}`;
  });
  expect(server.asked.at(-1)?.query.get("since")).toBe(at);
  expect(second?.records).toMatchObject([{ id: 3 }]);
});
