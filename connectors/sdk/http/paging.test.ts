import { expect, test } from "vitest";
import { readBatches, serveHere } from "../../../tests/support/http-server.ts";
import type { Json } from "../json.ts";
import { apiSource } from "./api-source.ts";
import type { Paging } from "./paging.ts";

function connectorOf(url: string, paging: Paging) {
  const type = apiSource({
    type: "shop",
    version: "1.0.0",
    title: "Shop",
    description: "A shop.",
    config: { type: "object" },
    api: () => ({ baseUrl: url, retries: 0 }),
    streams: { items: { path: "items", records: "data", paging, key: ["id"] } },
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
