import { expect, test } from "vitest";
import {
  type Asked,
  batchesOf,
  connect,
  cursorAfter,
  type Reply,
  readBatches,
  recordsIn,
  serveHere,
} from "../../tests/support/http-server.ts";
import { linkTo } from "../sdk/http/index.ts";
import type { Cursor, Json, JsonObject, ReadBatch } from "../sdk/index.ts";

const all = Array.from({ length: 12 }, (_, index) => ({ id: index + 1 }));
const slice = (start: number, size = 5) => all.slice(start, start + size);

interface Case {
  readonly stream: JsonObject;
  readonly answer: (asked: Asked, url: string) => Reply;
  /** Queries that are asked, in order. */
  readonly queries: string[];
}

const cases: Record<string, Case> = {
  "page, to an empty page": {
    stream: { pagination: { type: "page" } },
    answer: ({ query }) => ({ body: slice((Number(query.get("page")) - 1) * 5) }),
    queries: ["page=1", "page=2", "page=3", "page=4"],
  },
  "page, to a page that is not there": {
    stream: { pagination: { type: "page", param: "p", start: 0 } },
    answer: ({ query }) => {
      const records = slice(Number(query.get("p")) * 5);
      return records.length > 0 ? { body: records } : { status: 404, body: { detail: "Invalid page." } };
    },
    queries: ["p=0", "p=1", "p=2", "p=3"],
  },
  "page, with a size, to a page that is shorter": {
    stream: { pagination: { type: "page", size: 5, size_param: "per_page" } },
    answer: ({ query }) => ({ body: slice((Number(query.get("page")) - 1) * 5, Number(query.get("per_page"))) }),
    queries: ["per_page=5&page=1", "per_page=5&page=2", "per_page=5&page=3"],
  },
  "page, to the last of so many": {
    stream: { records: "$.items", pagination: { type: "page", total_path: "$.pages" } },
    answer: ({ query }) => ({ body: { items: slice((Number(query.get("page")) - 1) * 6, 6), pages: 2 } }),
    queries: ["page=1", "page=2"],
  },
  "page, with a size that the server caps, to the last of so many": {
    stream: { records: "$.items", pagination: { type: "page", size: 10, total_path: "$.pages" } },
    answer: ({ query }) => ({ body: { items: slice((Number(query.get("page")) - 1) * 5), pages: 3 } }),
    queries: ["page=1", "page=2", "page=3"],
  },
  "page, with a size that the server caps, until there is no more": {
    stream: { records: "$.items", pagination: { type: "page", size: 10, has_more_path: "$.more" } },
    answer: ({ query }) => {
      const page = Number(query.get("page"));
      return { body: { items: slice((page - 1) * 5), more: page < 3 } };
    },
    queries: ["page=1", "page=2", "page=3"],
  },
  "page, to an empty page, whatever the server says": {
    stream: { records: "$.items", pagination: { type: "page", size: 5, has_more_path: "$.more", total_path: "$.n" } },
    answer: ({ query }) => ({ body: { items: slice((Number(query.get("page")) - 1) * 5), more: true, n: 100 } }),
    queries: ["page=1", "page=2", "page=3", "page=4"],
  },
  "offset, with a size that the server caps, to the total": {
    stream: { records: "$.items", pagination: { type: "offset", size: 10, total_path: "$.total" } },
    answer: ({ query }) => ({ body: { total: 12, items: slice(Number(query.get("offset"))) } }),
    queries: ["offset=0", "offset=5", "offset=10"],
  },
  "offset, to the total": {
    stream: { records: "$.items", pagination: { type: "offset", total_path: "$.total", param: "skip" } },
    answer: ({ query }) => ({ body: { total: "12", items: slice(Number(query.get("skip"))) } }),
    queries: ["skip=0", "skip=5", "skip=10"],
  },
  "offset, in a body": {
    stream: {
      method: "POST",
      body: { offset: "{{ $.page }}", limit: "{{ $.size }}" },
      pagination: { type: "offset", size: 5 },
    },
    answer: ({ body }) => {
      const { offset, limit } = JSON.parse(body) as { offset: number; limit: number };
      return { body: slice(offset, limit) };
    },
    queries: ["", "", ""],
  },
  cursor: {
    stream: { records: "$.data", query: { q: "x y" }, pagination: { type: "cursor", cursor_path: "$.meta.next" } },
    answer: ({ query }) => {
      const at = Number(Buffer.from(query.get("cursor") ?? "", "base64").toString());
      const next = at + 5 < 12 ? Buffer.from(String(at + 5)).toString("base64") : null;
      return { body: { data: slice(at), meta: { next } } };
    },
    queries: ["q=x+y", "q=x+y&cursor=NQ%3D%3D", "q=x+y&cursor=MTA%3D"],
  },
  "cursor, until there is no more": {
    stream: { records: "$.data", pagination: { type: "cursor", cursor_path: "$.next", has_more_path: "$.more" } },
    answer: ({ query }) => {
      const at = Number(query.get("cursor") ?? 0);
      return { body: { data: slice(at), next: at + 5, more: at + 5 < 12 } };
    },
    queries: ["", "cursor=5", "cursor=10"],
  },
  "Link header, where nothing is configured": {
    stream: {},
    answer: ({ query }, url) => {
      const at = Number(query.get("at") ?? 0);
      const next = `<${url}/items?at=${at + 5}&x=%2C>; title="a, \\"b\\""; rel="last next"`;
      return { body: slice(at), headers: at + 5 < 12 ? { link: [`<${url}/first>; rel=first`, next] } : {} };
    },
    queries: ["", "at=5&x=%2C", "at=10&x=%2C"],
  },
  "next URL, relative": {
    stream: { records: "$.results", pagination: { type: "next_url", next_url_path: "$['@odata.nextLink']" } },
    answer: ({ query }) => {
      const at = Number(query.get("at") ?? 0);
      return { body: { results: slice(at), ...(at + 5 < 12 ? { "@odata.nextLink": `?at=${at + 5}` } : {}) } };
    },
    queries: ["", "at=5", "at=10"],
  },
  keyset: {
    stream: { pagination: { type: "keyset", field: "id", param: "after", size: 5, size_param: "n" } },
    answer: ({ query }) => ({ body: all.filter(({ id }) => id > Number(query.get("after") ?? 0)).slice(0, 5) }),
    queries: ["n=5", "n=5&after=5", "n=5&after=10"],
  },
  "keyset, with a size that the server caps, until there is no more": {
    stream: { records: "$.items", pagination: { type: "keyset", field: "id", size: 10, has_more_path: "$.more" } },
    answer: ({ query }) => {
      const items = all.filter(({ id }) => id > Number(query.get("after") ?? 0)).slice(0, 5);
      return { body: { items, more: items.at(-1)!.id < 12 } };
    },
    queries: ["", "after=5", "after=10"],
  },
  none: {
    stream: { pagination: { type: "none" } },
    answer: (_asked, url) => ({ body: all, headers: { link: `<${url}/items?2>; rel=next` } }),
    queries: [""],
  },
};

test.each(Object.keys(cases))("every page is read once: %s", async (name) => {
  const { stream, answer, queries } = cases[name]!;
  const server = await serveHere((asked) => answer(asked, server.url));
  const connector = connect({ base_url: server.url, streams: { items: stream } });
  const batches = await readBatches(connector, "items");
  expect(recordsIn(batches)).toEqual(all);
  expect(server.asked.map(({ query }) => query.toString())).toEqual(queries);
  expect(await readBatches(connector, "items", { from: cursorAfter(batches) })).toEqual([]);
});

const loops: Record<string, [JsonObject, (asked: Asked, url: string) => Reply, string]> = {
  "a page that links to itself": [
    { pagination: { type: "link" } },
    (_asked, url) => ({ body: [1], headers: { link: `<${url}/items?x>; rel=next` } }),
    "the same records as the one before it",
  ],
  "pages that link to each other": [
    { records: "$.r", pagination: { type: "next_url", next_url_path: "$.next" } },
    ({ query }) => ({ body: { r: [query.get("p")], next: `?p=${(Number(query.get("p")) + 1) % 3}` } }),
    "links to one that was read before",
  ],
  "a cursor that comes again": [
    { records: "$.r", pagination: { type: "cursor", cursor_path: "$.next" } },
    ({ query }) => ({ body: { r: [query.get("cursor")], next: query.get("cursor") === "a" ? "b" : "a" } }),
    "links to one that was read before",
  ],
  "the same page for every number": [
    { pagination: { type: "page" } },
    () => ({ body: all }),
    'does the server know the parameter "page"?',
  ],
  "the same page for ever new cursors": [
    { records: "$.r", pagination: { type: "cursor", cursor_path: "$.next" } },
    () => ({ body: { r: all, next: String(Math.random()) } }),
    'does the server know the parameter "cursor"?',
  ],
  "a keyset that goes backwards": [
    { pagination: { type: "keyset", field: "id" } },
    ({ query }) => ({ body: [{ id: query.has("after") ? 9 : 10 }] }),
    "goes backwards",
  ],
  "a keyset that stands": [
    { pagination: { type: "keyset", field: "id" } },
    ({ query }) => ({ body: [{ id: 10, n: query.get("after") }] }),
    "would never end",
  ],
  "a keyset whose last record has no value": [
    { pagination: { type: "keyset", field: "id" } },
    () => ({ body: [{ id: 1 }, {}] }),
    "has no id",
  ],
  "more pages than allowed": [
    { pagination: { type: "page", max_pages: 3 } },
    ({ query }) => ({ body: [Number(query.get("page"))] }),
    "more than 3 pages",
  ],
  "a cursor that is no value": [
    { records: "$.r", pagination: { type: "cursor", cursor_path: "$.next" } },
    () => ({ body: { r: [1], next: { a: 1 } } }),
    "no text and no number",
  ],
  "a next URL that is no HTTP": [
    { records: "$.r", pagination: { type: "next_url", next_url_path: "$.next" } },
    () => ({ body: { r: [1], next: "file:///etc/passwd" } }),
    "no http or https URL",
  ],
};

test.each(Object.keys(loops))("%s ends with an error, after what was read was handed out", async (name) => {
  const [stream, answer, message] = loops[name]!;
  const server = await serveHere((asked) => answer(asked, server.url));
  const connector = connect({ base_url: server.url, streams: { items: stream } });
  const source = await connector.openSource!({
    stream: "items",
    mode: "full",
    cursorField: undefined,
    from: null,
    batch: { records: 1, bytes: 1000 },
    signal: new AbortController().signal,
  });
  const records: Json[] = [];
  const reading = (async () => {
    for await (const batch of source.read()) records.push(...recordsIn([batch]));
  })();
  await expect(reading).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
    fault: "destination",
    path: "config.streams.items.pagination",
    message: expect.stringContaining(message),
  });
  expect(records.length).toBeGreaterThan(0);
  expect(server.asked.length).toBeLessThan(6);
  await source.close();
});

test("pages without records that name ever new next ones end with an error", async () => {
  let asked = 0;
  const server = await serveHere(() => ({ body: { items: [], next: `c${++asked}` } }));
  const stream = { records: "$.items", pagination: { type: "cursor", cursor_path: "$.next" } };
  const source = (limits: JsonObject) =>
    connect({
      base_url: server.url,
      streams: { items: { ...stream, pagination: { ...stream.pagination, ...limits } } },
    });
  await expect(readBatches(source({ max_pages: 12 }), "items")).rejects.toThrow("more than 12 pages");
  asked = 0;
  await expect(readBatches(source({}), "items")).rejects.toThrow("had no record and named a next one");
  expect(asked).toBe(1_000);
});

test("links are followed to another origin without credentials, and never from https to http", async () => {
  const other = await serveHere(() => ({ body: [2] }));
  const server = await serveHere(() => ({
    body: [1],
    headers: { link: `<${other.url}/more?api_key=echoed>; rel="next"` },
  }));
  const auth = { type: "api_key", in: "query", name: "api_key", value: "secret-key" };
  const connector = connect({ base_url: server.url, headers: { "X-Tenant": "secret-tenant" }, auth });
  const batches = await readBatches(connector, "items", { batch: { records: 1, bytes: 1000 } });
  expect(recordsIn(batches)).toEqual([1, 2]);
  expect(server.asked[0]?.query.get("api_key")).toBe("secret-key");
  expect(other.asked[0]?.query.toString()).toBe("");
  expect(JSON.stringify(other.asked[0]?.headers)).not.toContain("secret");
  expect(JSON.stringify(batches.map(({ cursor }) => cursor))).not.toContain("secret-key");
});

test("a page of another origin is not asked for with a body, and who was sent there comes back without credentials", async () => {
  const other = await serveHere(() => ({ status: 302, headers: { location: `${server.url}/back` } }));
  const server = await serveHere(({ path, headers, method }) => {
    if (path === "/back") return { body: { r: [headers.authorization ?? "nothing"], next: null } };
    return { body: { r: [method], next: `${other.url}/more` } };
  });
  const paged = { records: "$.r", pagination: { type: "next_url", next_url_path: "$.next" } };
  const streams = { got: paged, posted: { ...paged, method: "POST", body: { query: "secret-query" } } };
  const connector = connect({ base_url: server.url, auth: { type: "bearer", token: "secret-token" }, streams });
  expect(recordsIn(await readBatches(connector, "got"))).toEqual(["GET", "nothing"]);
  other.asked.length = 0;
  const posted: Json[] = [];
  const reading = (async () => {
    const options = { batch: { records: 1, bytes: 1000 } };
    for await (const batch of batchesOf(connector, "posted", options)) posted.push(...recordsIn([batch]));
  })();
  await expect(reading).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
    message: expect.stringContaining("no body"),
  });
  expect(posted).toEqual(["POST"]);
  expect(other.asked).toEqual([]);
});

test("a stream that begins anew says so, and does that no more than three times in a run", async () => {
  // The second page is known once after each first one, and the third never.
  let forgets = false;
  let known = false;
  const server = await serveHere(({ query }) => {
    const at = Number(query.get("cursor") ?? 0);
    if (forgets && (at === 10 || (at === 5 && !known))) return { status: 410, body: "" };
    known = at === 0;
    return { body: { r: slice(at), next: at + 5 < 12 ? at + 5 : null } };
  });
  const stream = { records: "$.r", pagination: { type: "cursor", cursor_path: "$.next" } };
  const connector = connect({ base_url: server.url, streams: { items: stream } });
  /** Reads until the server forgets: a batch is a page. */
  const read = async (from: Cursor) => {
    const batches: ReadBatch[] = [];
    const options = { from, batch: { records: 5, bytes: 10_000 } };
    const error = await (async () => {
      for await (const batch of batchesOf(connector, "items", options)) batches.push(batch);
    })().catch((caught: unknown) => caught as Error);
    return { batches: batches.filter(({ count }) => count > 0), notices: batches.map(({ notice }) => notice), error };
  };
  let cursor = cursorAfter((await read(null)).batches.slice(0, 2));
  forgets = true;
  for (const times of [1, 2, 3]) {
    const { batches, notices, error } = await read(cursor);
    expect(new Set(notices)).toEqual(
      new Set([
        `GET ${server.url}/items answered 410 for the page where reading was to go on: the stream is read again from its beginning (${times} of 3 times in a run).`,
      ]),
    );
    expect(recordsIn(batches)).toEqual(slice(0, 10));
    expect(error).toMatchObject({ code: "NOT_FOUND" });
    // What was read so far is in the log, and the next try goes on there.
    cursor = cursorAfter(batches);
  }
  expect(await read(cursor)).toMatchObject({
    batches: [],
    error: {
      code: "NOT_FOUND",
      path: "config.streams.items.pagination",
      message: expect.stringContaining("had begun anew 3 times"),
    },
  });
  // The next run may begin anew itself.
  forgets = false;
  const { batches, notices, error } = await read(cursor);
  expect([recordsIn(batches), new Set(notices), error]).toEqual([slice(10), new Set([undefined]), undefined]);
  expect(JSON.stringify(cursorAfter(batches))).not.toContain("again");
});

test("after a restart a cursor that the server forgot begins the stream anew", async () => {
  let known = true;
  const server = await serveHere(({ query }) => {
    const at = Number(query.get("cursor") ?? 0);
    if (at > 0 && !known) return { status: 410, body: "" };
    return { body: { r: slice(at), next: at + 5 < 12 ? at + 5 : null } };
  });
  const stream = { records: "$.r", pagination: { type: "cursor", cursor_path: "$.next" } };
  const connector = connect({ base_url: server.url, streams: { items: stream } });
  const batches = await readBatches(connector, "items", { batch: { records: 5, bytes: 10_000 } });
  known = true;
  const rest = await readBatches(connector, "items", { from: cursorAfter(batches.slice(0, 2)) });
  expect(recordsIn(rest)).toEqual(slice(10));
  known = false;
  server.asked.length = 0;
  const reading = readBatches(connector, "items", { from: cursorAfter(batches.slice(0, 2)) });
  await expect(reading).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(server.asked.map(({ query }) => query.toString())).toEqual(["cursor=5", "", "cursor=5"]);
});

test.each([
  ['<https://a/b>; rel="next"', "https://a/b"],
  ["<a>;rel=next", "a"],
  ['<a>; rel="prev", <b?x=1,2;3>; title="x; rel=next"; REL="First Next"', "b?x=1,2;3"],
  ["<a>; rel=prev; rel=next", undefined],
  ["<a>", undefined],
  ["", undefined],
  ["next", undefined],
  ["<a>; rel=next", "a"],
])("the next link of %j is %j", (header, link) => {
  expect(linkTo(header, "next")).toBe(link);
});
