import { expect, test } from "vitest";
import { connect, cursorAfter, readBatches, recordsIn, serveHere } from "../../tests/support/http-server.ts";
import type { Connector, Cursor, Json, JsonObject } from "../sdk/index.ts";
import { compare, timeOf } from "./order.ts";

interface Row extends JsonObject {
  id: number;
  at: string;
}

const row = (id: number, at: string): Row => ({ id, at });
const idsOf = (records: readonly Json[]) => records.map((record) => (record as Row).id);

/** One run after another, each from where the one before ended. */
function runs(connector: Connector, cursorField = "at") {
  let from: Cursor = null;
  return async () => {
    const batches = await readBatches(connector, "rows", { mode: "incremental", cursorField, from });
    if (batches.length > 0) from = cursorAfter(batches);
    return idsOf(recordsIn(batches));
  };
}

for (const isInclusive of [true, false]) {
  const kind = isInclusive ? "takes the value along" : "begins after the value";
  test(`nothing is missed and nothing comes twice at the boundary, where the server ${kind}`, async () => {
    const rows = [row(1, "2024-05-01T10:00:00Z"), row(2, "2024-05-01T10:00:05Z")];
    const server = await serveHere(({ query }) => {
      const since = Date.parse(query.get("since") ?? "1970-01-01");
      return { body: rows.filter(({ at }) => (isInclusive ? Date.parse(at) >= since : Date.parse(at) > since)) };
    });
    const run = runs(connect({ base_url: server.url, streams: { rows: { incremental: { param: "since" } } } }));
    expect(await run()).toEqual([1, 2]);
    // At the boundary itself, and a little below it: a transaction that committed late.
    rows.push(row(3, "2024-05-01T10:00:05Z"), row(4, "2024-05-01T10:00:04Z"));
    expect(await run()).toEqual([3, 4]);
    rows.push(row(5, "2024-05-01T10:00:05Z"), row(6, "2024-05-01T11:00:00Z"), row(7, "2024-05-01T10:59:59.5Z"));
    expect(await run()).toEqual([5, 6, 7]);
    expect(await run()).toEqual([]);
    rows[5] = { ...row(6, "2024-05-01T11:00:00Z"), changed: true };
    expect(await run()).toEqual([6]);
    expect(server.asked.map(({ query }) => query.get("since"))).toEqual([
      null,
      "2024-05-01T09:59:05.000Z",
      "2024-05-01T09:59:05.000Z",
      "2024-05-01T10:59:00.000Z",
      "2024-05-01T10:59:00.000Z",
    ]);
  });
}

test("a run that was stopped goes on with the same request and ends with the highest value of all", async () => {
  const rows = Array.from({ length: 20 }, (_, id) => row(id, `2024-05-01T10:${59 - id * 2}:00Z`));
  const server = await serveHere(({ query }) => {
    const found = rows.filter(({ at }) => at >= (query.get("since") ?? ""));
    const start = Number(query.get("offset"));
    return { body: found.slice(start, start + 3) };
  });
  const stream = { pagination: { type: "offset" }, incremental: { param: "since", start: "2024-01-01T00:00:00Z" } };
  const connector = connect({ base_url: server.url, streams: { rows: stream } });
  const options = { mode: "incremental" as const, cursorField: "at", batch: { records: 4, bytes: 10_000 } };
  const batches = await readBatches(connector, "rows", options);
  expect(idsOf(recordsIn(batches))).toEqual(rows.map(({ id }) => id));
  server.asked.length = 0;
  const rest = await readBatches(connector, "rows", { ...options, from: cursorAfter(batches.slice(0, 3)) });
  expect(idsOf(recordsIn(rest))).toEqual(rows.slice(12).map(({ id }) => id));
  expect(new Set(server.asked.map(({ query }) => query.get("since")))).toEqual(new Set(["2024-01-01T00:00:00Z"]));
  server.asked.length = 0;
  await readBatches(connector, "rows", { ...options, from: cursorAfter(rest) });
  // The first of all was the highest, and was read before the stop.
  expect(server.asked[0]?.query.get("since")).toBe("2024-05-01T10:58:00.000Z");
});

test("without a parameter all is read, and what lies below is left out", async () => {
  const rows = [row(1, "2024-05-01"), row(2, "2024-05-02"), row(3, "2024-05-03")];
  const server = await serveHere(() => ({ body: rows }));
  const run = runs(connect({ base_url: server.url }));
  expect(await run()).toEqual([1, 2, 3]);
  rows.push(row(4, "2024-05-03"), row(5, "2024-04-30"), row(6, "2024-05-04"));
  expect(await run()).toEqual([4, 6]);
});

test.each([
  ["as_is", "2024-05-01 10:00:00", "2024-05-01 09:59:00.000"],
  ["as_is", "2024-05-01", "2024-04-30"],
  ["iso", "2024-05-01T12:00:00+02:00", "2024-05-01T09:59:00.000Z"],
  ["date", "2024-05-01T00:00:30Z", "2024-04-30"],
  ["epoch", "2024-05-01T10:00:00Z", "1714557540"],
  ["epoch", 1714557600, "1714557540"],
  ["epoch_ms", 1714557600000, "1714557540000"],
  ["epoch", "1714557600", "1714557540"],
  ["as_is", 1714557600, "1714557600"],
  ["as_is", 42, "42"],
  ["as_is", "01HX", "01HX"],
])("a value in the format %s: after %j comes %j", async (format, value, asked) => {
  const server = await serveHere(() => ({ body: [{ id: 1, at: value }] }));
  const run = runs(connect({ base_url: server.url, streams: { rows: { incremental: { param: "since", format } } } }));
  expect(await run()).toEqual([1]);
  expect(await run()).toEqual([]);
  expect(server.asked[1]?.query.get("since")).toBe(asked);
});

test("ids go on where they ended, whatever their size, and templates have the value", async () => {
  const ids = [9n, 10n, 90071992547409931n];
  const server = await serveHere(({ body }) => {
    const { where } = JSON.parse(body) as { where: { after: string } };
    const found = ids.filter((id) => id > BigInt(where.after));
    return { body: `[${found.map((id) => `{"id":${id}}`)}]`, headers: { "content-type": "application/json" } };
  });
  const stream = { method: "POST", body: { where: { after: "0{{ $.since }}" } } };
  const connector = connect({ base_url: server.url, streams: { rows: stream } });
  const options = { mode: "incremental" as const, cursorField: "id" };
  const first = await readBatches(connector, "rows", options);
  expect(first.map(({ count }) => count)).toEqual([3]);
  await readBatches(connector, "rows", { ...options, from: cursorAfter(first) });
  expect(server.asked.map(({ body }) => body)).toEqual([
    '{"where":{"after":"0"}}',
    '{"where":{"after":"090071992547409931"}}',
  ]);
});

test("one record from the future does not hide all that come until then", async () => {
  const rows = [row(1, "2999-01-01T00:00:00Z"), row(2, new Date().toISOString())];
  const server = await serveHere(({ query }) => ({ body: rows.filter(({ at }) => at >= (query.get("since") ?? "")) }));
  const run = runs(connect({ base_url: server.url, streams: { rows: { incremental: { param: "since" } } } }));
  expect(await run()).toEqual([1, 2]);
  rows.push(row(3, new Date().toISOString()));
  expect(await run()).toEqual([3]);
});

test("what changes in pages that were read already is found by the next run, also where the run was stopped meanwhile", async () => {
  const old = (id: number) => row(id, "2024-05-01T00:00:00Z");
  const rows = Array.from({ length: 6 }, (_, id) => old(id));
  let during = () => {};
  const server = await serveHere(({ query }) => {
    const start = Number(query.get("offset"));
    if (start === 4) during();
    const found = rows.filter(({ at }) => at >= (query.get("since") ?? ""));
    return { body: found.slice(start, start + 2) };
  });
  const stream = { pagination: { type: "offset", size: 2 }, incremental: { param: "since", lookback: "0s" } };
  const connector = connect({ base_url: server.url, streams: { rows: stream } });
  const options = { mode: "incremental" as const, cursorField: "at", batch: { records: 2, bytes: 10_000 } };
  // A record of the first page, and a later one of the last page, change while the last one is asked for.
  during = () => {
    rows[0] = row(0, new Date(Date.now() + 60_000).toISOString());
    rows[5] = row(5, new Date(Date.now() + 120_000).toISOString());
  };
  const batches = await readBatches(connector, "rows", options);
  during = () => {};
  for (const from of [cursorAfter(batches), cursorAfter(batches.slice(0, 2))]) {
    let read = await readBatches(connector, "rows", { ...options, from });
    // Goes on where it was stopped, and then anew.
    if (idsOf(recordsIn(read)).join() === "4,5")
      read = await readBatches(connector, "rows", { ...options, from: cursorAfter(read) });
    expect(idsOf(recordsIn(read))).toEqual([0]);
  }
});

test("a cursor of another field, or of other pages, begins anew", async () => {
  const rows = [row(1, "2024-05-01T00:00:00Z"), row(2, "2024-05-02T00:00:00Z")];
  const server = await serveHere(({ query }) => ({
    body: query.has("since") || query.get("offset") === "9" ? [] : rows,
  }));
  const incremental = { param: "since" };
  const connector = connect({ base_url: server.url, streams: { rows: { incremental } } });
  const options = { mode: "incremental" as const, batch: { records: 1, bytes: 10_000 } };
  const batches = await readBatches(connector, "rows", { ...options, cursorField: "at" });
  const from = cursorAfter(batches);
  expect(await readBatches(connector, "rows", { ...options, cursorField: "at", from })).toEqual([]);
  const other = await readBatches(connector, "rows", { ...options, cursorField: "id", from });
  expect(idsOf(recordsIn(other))).toEqual([1, 2]);
  expect(other.map(({ position }) => position.offset)).toEqual([3, 4]);
  const page = { ...(from as JsonObject), done: false, page: { n: 9 } };
  const changed = await readBatches(connector, "rows", { ...options, cursorField: "at", from: page });
  expect(idsOf(recordsIn(changed))).toEqual([1, 2]);
});

test("an ETag of a stream's only page is asked about, and 304 is nothing new", async () => {
  let version = 1;
  const server = await serveHere(({ headers }) =>
    headers["if-none-match"] === `"v${version}"`
      ? { status: 304 }
      : { body: [row(version, `2024-05-0${version}T00:00:00Z`)], headers: { etag: `"v${version}"` } },
  );
  const run = runs(connect({ base_url: server.url }));
  expect(await run()).toEqual([1]);
  expect(await run()).toEqual([]);
  version = 2;
  expect(await run()).toEqual([2]);
  expect(await run()).toEqual([]);
  expect(server.asked.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, '"v1"', '"v1"', '"v2"']);
});

test("records without a value are read, and one that has no order is refused", async () => {
  let rows: JsonObject[] = [{ id: 1 }, { id: 2, at: null }, { id: 3, at: "2024-05-01T00:00:00Z" }];
  const server = await serveHere(() => ({ body: rows }));
  const connector = connect({ base_url: server.url });
  expect(await runs(connector)()).toEqual([1, 2, 3]);
  rows = [{ id: 1, at: { a: 1 } }];
  await expect(runs(connector)()).rejects.toMatchObject({ path: "source.cursor_field", code: "VALIDATION_ERROR" });
});

test("values are ordered as APIs order them", () => {
  const sorted: Json[][] = [
    [1, 2.5, 10, JSON.parse("1e3") as Json],
    ["9", "10", "90071992547409931", "90071992547409932"],
    ["2024-05-01T12:00:00+02:00", "2024-05-01T10:00:01Z", "2024-05-01T10:00:01.5Z", "2024-05-02"],
    ["a", "b", "ba"],
  ];
  for (const values of sorted) {
    for (let i = 1; i < values.length; i++) {
      expect(compare(values[i - 1]!, values[i]!)).toBeLessThan(0);
      expect(compare(values[i]!, values[i - 1]!)).toBeGreaterThan(0);
      expect(compare(values[i]!, values[i]!)).toBe(0);
    }
  }
  expect(timeOf("2024-13-01")).toBeUndefined();
  expect(timeOf("20240501")).toBeUndefined();
});
