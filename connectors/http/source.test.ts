import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  batchesOf,
  connect,
  cursorAfter,
  httpContext,
  readBatches,
  recordsIn,
  serveHere,
} from "../../tests/support/http-server.ts";
import type { Json } from "../sdk/index.ts";

const all = Array.from({ length: 30 }, (_, id) => ({ id, text: "x".repeat(id) }));

test("a page is asked for again where it fails in passing, and what was read of it is not read twice", async () => {
  let tries = 0;
  const text = JSON.stringify(all);
  const server = await serveHere((_asked, response) => {
    if (++tries === 1) return { status: 503, body: "busy" };
    if (tries === 2) return { status: 429, headers: { "retry-after": "0" }, body: "slow down" };
    response.writeHead(200, { "content-type": "application/json" });
    if (tries === 3) {
      response.write(text.slice(0, 400), () => setImmediate(() => response.destroy()));
    } else response.end(text);
    return undefined;
  });
  const batches = await readBatches(connect({ base_url: server.url }), "items", { batch: { records: 2, bytes: 1000 } });
  expect(recordsIn(batches)).toEqual(all);
  expect(tries).toBe(4);
  expect(batches.map(({ position }) => position.offset).slice(0, 3)).toEqual([1, 3, 5]);
});

test("a long Retry-After is left to who reads, and its time is told", async () => {
  const server = await serveHere(() => ({ status: 429, headers: { "retry-after": "120" }, body: { message: "slow" } }));
  await expect(readBatches(connect({ base_url: server.url }), "items")).rejects.toMatchObject({
    code: "RATE_LIMITED",
    fault: "transient",
    retryAfterMs: 120_000,
    message: `GET ${server.url}/items answered 429: slow.`,
  });
  expect(server.asked).toHaveLength(1);
});

test("a page that changed while it was read is read from its beginning, under new numbers", async () => {
  let records: Json[] = all;
  const server = await serveHere(() => ({ body: records }));
  const connector = connect({ base_url: server.url });
  const batches = await readBatches(connector, "items", { batch: { records: 10, bytes: 10_000 } });
  const from = cursorAfter(batches.slice(0, 1));
  records = [{ id: -1 }, ...all];
  const changed = await readBatches(connector, "items", { from });
  expect(recordsIn(changed)).toEqual(records);
  expect(changed[0]?.position.offset).toBe(11);
  records = all.slice(0, 5);
  expect(recordsIn(await readBatches(connector, "items", { from }))).toEqual(records);
});

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
  ["deflate", deflateSync],
])("answers in %s are read", async (encoding, compress) => {
  const server = await serveHere(({ headers }) => {
    expect(headers["accept-encoding"]).toContain(encoding);
    return { headers: { "content-encoding": encoding }, body: compress(JSON.stringify(all)) };
  });
  const connector = connect({ base_url: server.url });
  expect(recordsIn(await readBatches(connector, "items"))).toEqual(all);
});

test("lines are read by their Content-Type, and where the config says so", async () => {
  const lines = all.map((record) => JSON.stringify(record)).join("\n");
  const server = await serveHere(({ path }) => ({
    headers: { "content-type": path === "/typed" ? "application/x-ndjson" : "text/plain" },
    body: lines,
  }));
  const streams = { typed: {}, plain: { format: "ndjson" } };
  const connector = connect({ base_url: server.url, streams });
  expect(recordsIn(await readBatches(connector, "typed"))).toEqual(all);
  expect(recordsIn(await readBatches(connector, "plain"))).toEqual(all);
});

test("a page where lines are expected ends the reading, and none of its lines is a record", async () => {
  const server = await serveHere(() => ({ body: "\n <!doctype html>\n<title>Log in</title>\n" }));
  const connector = connect({ base_url: server.url, streams: { items: { format: "ndjson" } } });
  await expect(readBatches(connector, "items")).rejects.toThrow("it begins as a page does");
});

test("records are found by a JSONPath: a list, one record, or what a query finds", async () => {
  const server = await serveHere(() => ({
    body: { data: { list: [{ v: { id: 1 } }, { v: { id: 2 } }], one: { id: 3 } } },
  }));
  const paths: Record<string, Json[]> = {
    "$.data.list": [{ v: { id: 1 } }, { v: { id: 2 } }],
    "$.data.list[*]": [{ v: { id: 1 } }, { v: { id: 2 } }],
    "$['data'].list[*].v": [{ id: 1 }, { id: 2 }],
    "$.data.list[?@.v.id == 2].v": [{ id: 2 }],
    "$.data.list[0]": [{ v: { id: 1 } }],
    "$.data.one": [{ id: 3 }],
  };
  for (const [records, found] of Object.entries(paths)) {
    const connector = connect({ base_url: server.url, streams: { items: { records } } });
    expect(recordsIn(await readBatches(connector, "items")), records).toEqual(found);
  }
});

test("every digit of a number reaches the log", async () => {
  const server = await serveHere(() => ({ body: '[{"n":90071992547409931,"d":1.10}]' }));
  const [batch] = await readBatches(connect({ base_url: server.url }), "items");
  expect(Buffer.from(batch!.data).toString()).toBe('{"n":90071992547409931,"d":1.10}');
});

test("nothing there is an empty stream", async () => {
  for (const reply of [{ status: 204 }, { body: [] }]) {
    const server = await serveHere(() => reply);
    expect(await readBatches(connect({ base_url: server.url }), "items")).toEqual([]);
  }
});

const bad: Record<string, [Record<string, string>, string, string]> = {
  HTML: [{ "content-type": "text/html" }, "<!doctype html><title>Sign in</title>", "HTML or XML"],
  "half a JSON": [{ "content-type": "application/json" }, '[{"id":1},{"id', "breaks off"],
  nothing: [{}, "", "it is empty"],
  text: [{ "content-type": "text/plain" }, "Hello", "it is no JSON (Content-Type text/plain)"],
  "another document": [{}, '{"items":[]}', "nothing where its records should be"],
  "what is not compressed": [{ "content-encoding": "gzip" }, "[]", "not compressed as it says"],
  "an unknown encoding": [{ "content-encoding": "compress" }, "[]", 'unknown Content-Encoding "compress"'],
};

test.each(Object.keys(bad))("an answer that is %s is an error that says so", async (name) => {
  const [headers, body, message] = bad[name]!;
  const server = await serveHere(() => ({ headers, body }));
  const streams = { items: { records: "$.data" }, array: {} };
  const connector = connect({ base_url: server.url, streams });
  const stream = name === "another document" ? "items" : "array";
  await expect(readBatches(connector, stream)).rejects.toMatchObject({
    name: "ConnectorError",
    message: expect.stringContaining(message),
  });
});

test("the records before a break stay read", async () => {
  const server = await serveHere(() => ({ body: '[{"id":1},{"id":2},}' }));
  const records: Json[] = [];
  const reading = (async () => {
    for await (const batch of batchesOf(connect({ base_url: server.url }), "items", {
      batch: { records: 1, bytes: 99 },
    })) {
      records.push(...recordsIn([batch]));
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "config.streams.items.records" });
  expect(records).toEqual([{ id: 1 }, { id: 2 }]);
});

test("redirects are followed, five at most, without credentials elsewhere", async () => {
  const other = await serveHere(({ headers }) => ({
    body: [headers.authorization ?? null, headers["x-tenant"] ?? null],
  }));
  const server = await serveHere(({ path }) => {
    const left = Number(path.slice(1));
    if (path === "/loop") return { status: 302, headers: { location: "/loop" } };
    if (path === "/file") return { status: 302, headers: { location: "file:///etc/passwd" } };
    if (path === "/metadata") return { status: 302, headers: { location: "http://169.254.169.254/latest/meta-data" } };
    return { status: 307, headers: { location: left > 0 ? `/${left - 1}` : `${other.url}/there` } };
  });
  const auth = { type: "basic", username: "u", password: "secret-password" };
  const connector = connect({ base_url: server.url, auth, headers: { "x-tenant": "t" } });
  expect(recordsIn(await readBatches(connector, "/4"))).toEqual([null, null]);
  expect(server.asked.every(({ headers }) => headers.authorization?.startsWith("Basic "))).toBe(true);
  await expect(readBatches(connector, "/5")).rejects.toThrow("more than 5 times");
  await expect(readBatches(connector, "/loop")).rejects.toThrow("more than 5 times");
  await expect(readBatches(connector, "/file")).rejects.toThrow("which is not HTTP");
  await expect(readBatches(connector, "/metadata")).rejects.toMatchObject({
    code: "FORBIDDEN",
    fault: "destination",
    message: expect.stringContaining("169.254.169.254 is no public address"),
  });
});

test("a server that stops in the middle of an answer is not waited for without end", async () => {
  const server = await serveHere((_asked, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write('[{"id":1}');
    return undefined;
  });
  const connector = connect({ base_url: server.url, timeout: { read: "50ms" } });
  await expect(readBatches(connector, "/middle")).rejects.toMatchObject({ code: "TIMEOUT", fault: "transient" });
});

test("a page that is not whole after timeout.total of waiting is given up with TIMEOUT", async () => {
  const server = await serveHere((_asked, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write("[");
    const drip = setInterval(() => response.write(" "), 20);
    response.once("close", () => clearInterval(drip));
    return undefined;
  });
  const source = connect({ base_url: server.url, timeout: { total: "200ms" } });
  await expect(readBatches(source, "items")).rejects.toMatchObject({ code: "TIMEOUT", fault: "transient" });
  expect(server.asked).toHaveLength(4);
});

test("a source that waits says that it lives", async () => {
  let pages = 0;
  const server = await serveHere(({ query }) => {
    if (query.get("page") === "1") return { body: [1] };
    return ++pages === 1 ? { status: 503, headers: { "retry-after": "6" }, body: "" } : { body: [] };
  });
  const connector = connect({ base_url: server.url, streams: { items: { pagination: { type: "page" } } } });
  const counts: number[] = [];
  for await (const { count } of batchesOf(connector, "items")) counts.push(count);
  expect(counts).toEqual([0, 0, 1]);
});

test("an abort ends a wait at once", async () => {
  const controller = new AbortController();
  const server = await serveHere(() => {
    setImmediate(() => controller.abort(new Error("enough")));
    return { status: 503, headers: { "retry-after": "30" }, body: "" };
  });
  const reading = readBatches(connect({ base_url: server.url }), "items", { signal: controller.signal });
  await expect(reading).rejects.toThrow("enough");
});

test("a body of hundreds of megabytes is read in pieces", async () => {
  const piece = Buffer.from(`,${JSON.stringify({ text: "x".repeat(1000) })}`.repeat(1000));
  const server = await serveHere(async (_asked, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write("[0");
    for (let i = 0; i < 100; i++) {
      if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end("]");
    return undefined;
  });
  let count = 0;
  let most = 0;
  const before = process.memoryUsage().arrayBuffers;
  for await (const batch of batchesOf(connect({ base_url: server.url }), "items")) {
    count += batch.count;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(count).toBe(100_001);
  expect(most).toBeLessThan(64 * 1024 * 1024);
});

test("streams that are configured are the only ones, and their schemas are told from their first records", async () => {
  const server = await serveHere(() => ({
    body: [
      { id: 1, name: "a", tags: [] },
      { id: 2, name: null },
    ],
  }));
  const streams = { people: { key: ["id"] }, landed: { append: {} } };
  const connector = connect({ base_url: server.url, streams });
  expect(await connector.discover(new AbortController().signal)).toEqual([
    {
      name: "people",
      key: ["id"],
      cursorFields: ["id", "name"],
      schema: {
        type: "object",
        properties: { id: { type: "integer" }, name: { type: ["string", "null"] }, tags: { type: "array" } },
        required: ["id", "name"],
      },
    },
    { name: "landed", schema: {} },
  ]);
  await expect(readBatches(connector, "peopel")).rejects.toThrow('did you mean "people"?');
});

test("a stream that is not configured stands for its path", async () => {
  const server = await serveHere(({ path }) => ({ body: [path] }));
  const connector = connect({ base_url: `${server.url}/api/` });
  for (const stream of ["contacts", "v1/contacts", "/v1/contacts", "odd name?"]) {
    const [path] = recordsIn(await readBatches(connector, stream));
    expect(path).toBe(`/api/${stream.replace(/^\//, "").replace(" ", "%20").replace("?", "%3F")}`);
  }
  await expect(readBatches(connector, "/../admin")).rejects.toThrow("would lead elsewhere");
});

test("the check asks for the first stream, or for base_url where there is none to read", async () => {
  const server = await serveHere(({ path }) => ({
    status: path === "/api" ? 404 : path === "/api/down" ? 500 : 403,
    body: "",
  }));
  const signal = new AbortController().signal;
  await connect({ base_url: `${server.url}/api` }).check(signal);
  await connect({ base_url: `${server.url}/api`, streams: { landed: { append: {} } } }).check(signal);
  await expect(connect({ base_url: `${server.url}/down` }).check(signal)).rejects.toMatchObject({
    path: "config.auth",
  });
  const wrong = connect({ base_url: `${server.url}/api`, streams: { a: {} } });
  await expect(wrong.check(signal)).rejects.toMatchObject({ code: "FORBIDDEN" });
  expect(httpContext.allowAddresses).toContain("127.0.0.1");
});
