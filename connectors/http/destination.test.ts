import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  type Asked,
  batchOf,
  connect,
  httpContext,
  openDestination,
  type Reply,
  serveHere,
  type TestServer,
} from "../../tests/support/http-server.ts";
import type { Json, JsonObject, WriteResult } from "../sdk/index.ts";

const people = [
  { id: 1, email: "a@x.org" },
  { id: 2, email: "b/c@x.org" },
  { id: 3, email: "d@x.org" },
];
const requestOf = ({ method, path, headers, body }: Asked) => [method, path, headers["idempotency-key"], body];

test("each record is a request of its own, with its id as Idempotency-Key", async () => {
  const server = await serveHere(() => ({ status: 201 }));
  const destination = await openDestination(connect({ base_url: `${server.url}/api`, concurrency: 1 }), "contacts");
  expect(await destination.write(batchOf(people))).toEqual({ failed: [] });
  expect(server.asked.map(requestOf)).toEqual(
    people.map((record, index) => ["POST", "/api/contacts", `id-${index}`, JSON.stringify(record)]),
  );
  expect(server.asked[0]?.headers["content-type"]).toBe("application/json");
});

test("metrics name the far side by its host, without the credentials of its URL", () => {
  expect(connect({ base_url: "https://API.example.com/v2?key=abc" }).provider).toBe("api.example.com");
  expect(connect({ base_url: "http://127.0.0.1:8080" }).provider).toBe("127.0.0.1:8080");
});

test("mode upsert puts each record at the URL of its key", async () => {
  const server = await serveHere(() => ({ status: 204 }));
  const connector = connect({ base_url: server.url, concurrency: 1 });
  const destination = await openDestination(connector, "contacts", { mode: "upsert", key: ["email", "id"] });
  const { failed } = await destination.write(batchOf([...people.slice(0, 2), { id: 4 }, { id: 5, email: ".." }]));
  expect(server.asked.map(({ method, path }) => [method, path])).toEqual([
    ["PUT", "/contacts/a%40x.org/1"],
    ["PUT", "/contacts/b%2Fc%40x.org/2"],
  ]);
  expect(failed).toEqual([
    { index: 2, code: "VALIDATION_ERROR", message: "The record has no email, which its URL is made of." },
    { index: 3, code: "VALIDATION_ERROR", message: expect.stringContaining("would lead elsewhere") },
  ]);
});

test("a request is made of templates, what fills a hole being escaped by its place", async () => {
  const server = await serveHere(() => ({ status: 200 }));
  const append = {
    method: "PATCH",
    path: "/orgs/{{ $.org }}/contacts?v=1",
    query: { dry: false, tags: "{{ $.tags }}", none: "{{ $.nothing }}" },
    headers: { "X-Source": "crm-{{ $.id }}", "Content-Type": "application/json; charset=utf-8" },
    body: { contact: { mail: "{{ $.email | upper }}", id: "{{ $.id }}" } },
    idempotency_key: "X-Request",
  };
  const destination = await openDestination(connect({ base_url: server.url, streams: { c: { append } } }), "c");
  const record = { id: 90071992547409, org: "a/../b?c#d", email: "é@x", tags: ["x&y", 2] };
  await destination.write(batchOf([record]));
  const [asked] = server.asked as [Asked];
  expect(asked.path).toBe("/orgs/a%2F..%2Fb%3Fc%23d/contacts");
  expect(asked.query.toString()).toBe("v=1&dry=false&tags=x%26y&tags=2");
  expect(asked.headers).toMatchObject({ "x-source": "crm-90071992547409", "x-request": "id-0" });
  expect(asked.headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(JSON.parse(asked.body)).toEqual({ contact: { mail: "É@X", id: 90071992547409 } });
  const injected = { ...record, id: "1\r\nX-Evil: 1" };
  expect(await destination.write(batchOf([injected]))).toMatchObject({
    failed: [{ index: 0, code: "VALIDATION_ERROR" }],
  });
  expect(server.asked).toHaveLength(1);
});

test("bodies may be forms, and compressed", async () => {
  for (const compression of ["gzip", "br", "zstd"]) {
    const server = await serveHere(() => ({ status: 200 }));
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const append = { headers, body: { name: "{{ $.name }}", n: "{{ $.n }}" } };
    const connector = connect({ base_url: server.url, compression, streams: { c: { append } } });
    const destination = await openDestination(connector, "c");
    await destination.write(batchOf([{ name: "a b&c", n: 1 }]));
    expect(server.asked[0]?.headers["content-encoding"]).toBe(compression);
    expect(server.asked[0]?.body).toBe("name=a+b%26c&n=1");
  }
});

const batchStream = (more: JsonObject = {}, batch: JsonObject = { records: 2 }) => ({
  c: { append: { batch, ...more } },
});

test("batches are arrays, or what a template says, or lines; their texts are not touched", async () => {
  const server = await serveHere(() => ({ status: 200 }));
  const record = (text: string) => ({ text, value: JSON.parse(text) as Json, id: text });
  const records = ['{"n":90071992547409931}', '{"a":"b"}', '{"c":1.10}'].map(record);
  const bodies = [
    [{ records: 2 }, ['[{"n":90071992547409931},{"a":"b"}]', '[{"c":1.10}]']],
    [
      { records: 3, body: { dry: true, items: "{{ $.records }}", n: 1 } },
      ['{"dry":true,"items":[{"n":90071992547409931},{"a":"b"},{"c":1.10}],"n":1}'],
    ],
    [{ records: 10, format: "ndjson" }, ['{"n":90071992547409931}\n{"a":"b"}\n{"c":1.10}\n']],
  ] as const;
  for (const [batch, expected] of bodies) {
    server.asked.length = 0;
    const config = { base_url: server.url, concurrency: 1, streams: batchStream({}, { ...batch } as JsonObject) };
    const destination = await openDestination(connect(config), "c");
    expect(await destination.write({ ...batchOf([]), records })).toEqual({ failed: [] });
    expect(server.asked.map(({ body }) => body)).toEqual(expected);
    const keys = server.asked.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(expected.length);
    await destination.write({ ...batchOf([]), records });
    expect(server.asked.slice(expected.length).map(({ headers }) => headers["idempotency-key"])).toEqual(keys);
  }
});

test("results tell the records of a batch apart, in order or by index", async () => {
  const results = { path: "$.results", status: "$.status", message: "$.error.text" };
  const answers: [JsonObject, Json, Json[]][] = [
    [
      results,
      { results: [{ status: 201 }, { status: "422", error: { text: "bad mail" } }, { status: 429 }] },
      [
        { index: 1, code: "BUSINESS_RULE", message: "bad mail." },
        { index: 2, code: "RATE_LIMITED", message: "the far side says RATE_LIMITED." },
      ],
    ],
    [
      { ...results, index: "$.i" },
      {
        results: [
          { i: 2, status: true },
          { i: 0, status: "CREATED" },
          { i: "1", status: false, error: { text: { a: 1 } } },
        ],
      },
      [{ index: 1, code: "VALIDATION_ERROR", message: '{"a":1}.' }],
    ],
    [
      { path: "$.errors", message: "$.m", index: "$.at", only_failures: true },
      { errors: [{ at: 1, m: "no" }] },
      [{ index: 1, code: "VALIDATION_ERROR", message: "no." }],
    ],
    [{ path: "$.errors", message: "$.m", index: "$.at", only_failures: true }, { errors: null }, []],
    [
      { status: "$.s" },
      [{ s: 409 }, { s: "success" }, { s: 503 }],
      [{ index: 2, code: "UNAVAILABLE", message: "the far side says UNAVAILABLE." }],
    ],
  ];
  for (const [config, body, failed] of answers) {
    const server = await serveHere(() => ({ status: 207, body }));
    const streams = batchStream({ results: config }, { records: 10 });
    const destination = await openDestination(connect({ base_url: server.url, streams }), "c");
    expect(await destination.write(batchOf(people))).toEqual({ failed });
  }
});

test("a record of which the results say several things failed once, by the first that is wrong with it", async () => {
  const server = await serveHere(() => ({
    body: {
      errors: [
        { at: 1, m: "bad email" },
        { at: 1, m: "bad name" },
        { at: 0, s: 200 },
        { at: 0, s: 503, m: "busy" },
      ],
    },
  }));
  const results = { path: "$.errors", index: "$.at", message: "$.m", status: "$.s", only_failures: true };
  const streams = { c: { append: { batch: { records: 3 }, results } } };
  const destination = await openDestination(connect({ base_url: server.url, streams }), "c");
  expect(await destination.write(batchOf(people))).toEqual({
    failed: [
      { index: 1, code: "VALIDATION_ERROR", message: "bad email." },
      { index: 0, code: "UNAVAILABLE", message: "busy." },
    ],
  });
});

test("of a secret that stands across the end of what is shown of an answer nothing is left", async () => {
  const token = "s3cr3t-0123456789abcdefghijklmnopqrstuvwxyz";
  const key = "of-the-query-0123456789";
  const known = { ...httpContext, redact: (text: string) => text.replaceAll(key, "***") };
  const results = { path: "$.results", status: "$.status", message: "$.text" };
  for (const secret of [token, key]) {
    for (const end of [280, 295, 299]) {
      const text = `${"x".repeat(end)}${secret}`;
      const said = `${"x".repeat(end)}***`;
      const server = await serveHere(({ path }) =>
        path === "/c"
          ? { status: 207, body: { results: [{ status: 422, text }] } }
          : { status: 422, body: path === "/json" ? { error: { message: text } } : text },
      );
      const config = {
        base_url: server.url,
        auth: { type: "bearer", token },
        streams: { ...batchStream({ results }, { records: 10 }), json: {}, text: {} },
      };
      const connector = connect(config, known);
      const write = async (stream: string) =>
        (await openDestination(connector, stream)).write(batchOf(people.slice(0, 1)));
      const shown = said.length > 300 ? `${said.slice(0, 300)}…` : said;
      for (const stream of ["c", "json", "text"]) {
        expect((await write(stream)).failed?.[0]?.message).toContain(shown);
      }
    }
  }
});

test("an answer that does not say what became of each record is the setting's fault, and nothing counts as written", async () => {
  const bodies = [{ results: [{ status: 200 }] }, { other: [] }, "taken", { results: [{}, {}, {}] }];
  for (const body of bodies) {
    const server = await serveHere(() => ({ body: body as Json }));
    const streams = batchStream({ results: { path: "$.results", status: "$.status" } }, { records: 10 });
    const destination = await openDestination(connect({ base_url: server.url, streams }), "c");
    await expect(destination.write(batchOf(people))).rejects.toMatchObject({
      fault: "destination",
      path: "config.streams.c.append.results",
    });
  }
});

test("a batch that is refused as a whole is halved until the records at fault stand alone", async () => {
  const taken: Json[] = [];
  const server = await serveHere(({ body }) => {
    const records = JSON.parse(body) as { id: number }[];
    if (records.some(({ id }) => id % 10 === 7)) return { status: 400, body: { errors: [{ message: "one is bad" }] } };
    taken.push(...records.map(({ id }) => id));
    return { status: 200 };
  });
  const destination = await openDestination(
    connect({ base_url: server.url, streams: batchStream({}, { records: 16 }) }),
    "c",
  );
  const records = Array.from({ length: 40 }, (_, id) => ({ id }));
  const { failed = [] } = await destination.write(batchOf(records));
  expect(failed.map(({ index }) => index).sort()).toEqual([17, 27, 37, 7]);
  expect(failed[0]).toMatchObject({
    code: "VALIDATION_ERROR",
    message: expect.stringContaining("answered 400: one is bad."),
  });
  expect(taken.sort((a, b) => Number(a) - Number(b))).toEqual(
    records.map(({ id }) => id).filter((id) => id % 10 !== 7),
  );
});

// Contract, section 8.
test.each([
  [400, "VALIDATION_ERROR"],
  [404, "NOT_FOUND"],
  [405, "VALIDATION_ERROR"],
  [408, "TIMEOUT"],
  [410, "NOT_FOUND"],
  [413, "VALIDATION_ERROR"],
  [422, "BUSINESS_RULE"],
  [429, "RATE_LIMITED"],
  [500, "INTERNAL_ERROR"],
  [501, "VALIDATION_ERROR"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "TIMEOUT"],
  [301, "VALIDATION_ERROR"],
])("a record that is answered %i fails with %s", async (status, code) => {
  const server = await serveHere(() => ({
    status,
    headers: { location: "http://other.example/x?secret" },
    body: "no",
  }));
  const destination = await openDestination(connect({ base_url: server.url }), "c");
  const { failed = [] } = await destination.write(batchOf([{}]));
  expect(failed).toMatchObject([{ index: 0, code }]);
  expect(failed[0]?.message).toContain(`answered ${status}`);
  expect(failed[0]?.message).not.toContain("secret");
  expect(server.asked).toHaveLength(1);
});

test.each([
  [401, "UNAUTHORIZED", "config.auth"],
  [403, "FORBIDDEN", "config.auth"],
])("%i is the destination's fault, and the others are not sent", async (status, code, path) => {
  const server = await serveHere(() => ({ status, body: { title: "Denied" } }));
  const destination = await openDestination(connect({ base_url: server.url, concurrency: 1 }), "c");
  await expect(destination.write(batchOf(people))).rejects.toMatchObject({ code, path, fault: "destination" });
  expect(server.asked).toHaveLength(1);
});

test("what fails before anything is sent is the destination's fault", async () => {
  for (const base_url of ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://[::ffff:10.0.0.1]"]) {
    const destination = await openDestination(connect({ base_url }), "c");
    await expect(destination.write(batchOf(people))).rejects.toMatchObject({
      fault: "destination",
      path: "config.base_url",
    });
  }
});

const faults: Record<string, (server: TestServer) => Reply> = {
  "401": () => ({ status: 401, body: "" }),
  "403": () => ({ status: 403, body: "" }),
  "an HTML page": () => ({ body: "<html><title>Log in</title></html>" }),
  "a connection that is refused": ({ server }) => {
    server.close();
    return { headers: { connection: "close" } };
  },
};

for (const ordered of [false, true]) {
  test.each(Object.keys(faults))(
    `records behind those that were taken are left, ordered ${ordered}: %s`,
    async (name) => {
      const isRefused = name.includes("refused");
      // The last one that is taken is the last one that gets through, where the next is to be refused.
      const server = await serveHere(({ body }) => {
        const { id } = JSON.parse(body) as { id: number };
        if (isRefused ? id < 1 : id < 2) return { status: 201 };
        return faults[name]!(server);
      });
      const destination = await openDestination(connect({ base_url: server.url, concurrency: 1 }), "c");
      const records = [0, 1, 2, 3, 4].map((id) => ({ id }));
      expect(await destination.write(batchOf(records, { ordered }))).toEqual({ failed: [], left: [2, 3, 4] });
      await expect(destination.write(batchOf(records.slice(2), { ordered }))).rejects.toMatchObject({
        fault: "destination",
      });
    },
  );
}

test("a record that was refused is a failure, and those behind it are left, where the far side is at fault then", async () => {
  const statuses = [422, 403];
  const server = await serveHere(() => ({ status: statuses.shift()!, body: "" }));
  const destination = await openDestination(connect({ base_url: server.url, concurrency: 1 }), "c");
  expect(await destination.write(batchOf(people))).toEqual({
    failed: [{ index: 0, code: "BUSINESS_RULE", message: expect.any(String) }],
    left: [1, 2],
  });
});

test("Retry-After is told of the record that was sent, in both forms; nothing more is sent, and what was not is left", async () => {
  for (const header of ["7", new Date(Date.now() + 8_000).toUTCString()]) {
    const server = await serveHere(() => ({ status: 429, headers: { "retry-after": header }, body: "" }));
    const destination = await openDestination(connect({ base_url: server.url, concurrency: 1 }), "c");
    const { failed = [], left } = await destination.write(batchOf(people));
    expect(failed.map(({ index }) => index)).toEqual([0]);
    expect(left).toEqual([1, 2]);
    for (const { code, retryAfterMs } of failed) {
      expect(code).toBe("RATE_LIMITED");
      expect(retryAfterMs).toBeGreaterThan(5_000);
      expect(retryAfterMs).toBeLessThanOrEqual(8_000);
    }
    expect(server.asked).toHaveLength(1);
  }
});

test("409 counts as done in mode upsert and with an idempotency key, and as a conflict else", async () => {
  const server = await serveHere(() => ({ status: 409, body: "there" }));
  const streams = { c: {}, plain: { append: { idempotency_key: false }, upsert: { idempotency_key: false } } };
  const connector = connect({ base_url: server.url, streams });
  const write = async (stream: string, mode: "append" | "upsert") => {
    const destination = await openDestination(connector, stream, { mode, key: mode === "upsert" ? ["id"] : [] });
    return (await destination.write(batchOf([{ id: 1 }]))).failed?.map(({ code }) => code);
  };
  expect(await write("c", "append")).toEqual([]);
  expect(await write("plain", "upsert")).toEqual([]);
  expect(server.asked.map(({ headers }) => headers["idempotency-key"])).toEqual(["id-0", undefined]);
  expect(await write("plain", "append")).toEqual(["CONFLICT"]);
});

test("in order, nothing is sent behind a record that may be tried again", async () => {
  const server = await serveHere(({ body }) => ({
    status: (JSON.parse(body) as { id: number }).id === 2 ? 503 : 422,
    body: "",
  }));
  const destination = await openDestination(connect({ base_url: server.url }), "c");
  const { failed = [], left } = await destination.write(batchOf(people, { ordered: true }));
  expect(failed.map(({ index, code }) => [index, code])).toEqual([
    [0, "BUSINESS_RULE"],
    [1, "UNAVAILABLE"],
  ]);
  expect(left).toEqual([2]);
  expect(server.asked).toHaveLength(2);
});

test("several requests are under way at once, as many as configured", async () => {
  let now = 0;
  let most = 0;
  const server = await serveHere(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    now--;
    return { status: 200 };
  });
  const destination = await openDestination(connect({ base_url: server.url, concurrency: 3 }), "c");
  expect(destination.concurrency).toBe(3);
  const records = Array.from({ length: 12 }, (_, id) => ({ id }));
  await Promise.all([destination.write(batchOf(records)), destination.write(batchOf(records))]);
  expect(most).toBe(3);
  expect(server.asked).toHaveLength(24);
});

test("a connection that breaks after the request was sent, and a late answer, may be tried again", async () => {
  const server = await serveHere(({ path }, response) => {
    if (path === "/broken") response.destroy();
    return undefined;
  });
  const connector = connect({ base_url: server.url, timeout: { total: "200ms" } });
  const broken = await openDestination(connector, "broken");
  expect((await broken.write(batchOf([{}]))).failed).toMatchObject([{ code: "UNAVAILABLE" }]);
  const late = await openDestination(connector, "late");
  expect((await late.write(batchOf([{}]))).failed).toMatchObject([{ code: "TIMEOUT" }]);
  const hurried = await openDestination(connect({ base_url: server.url }), "late", {
    timeout: { connectMs: 1000, readMs: 50 },
  });
  expect((await hurried.write(batchOf([{}]))).failed).toMatchObject([{ code: "TIMEOUT" }]);
});

test("a message holds neither what a record fills in nor the path of base_url, which may be a secret", async () => {
  const server = await serveHere(() => ({ status: 404, body: "" }));
  const connector = connect({ base_url: `${server.url}/services/T0/B0/hook-secret` });
  const destination = await openDestination(connector, "contacts", { mode: "upsert", key: ["email"] });
  const { failed = [] } = await destination.write(batchOf([{ email: "ada@x.org" }]));
  expect(failed[0]?.message).toBe(`PUT ${server.url}/…/contacts/{email} answered 404.`);
});

test("the connector's own Accept and Content-Type go before those that are sent otherwise", async () => {
  const server = await serveHere(() => ({ body: [] }));
  const headers = { Accept: "application/vnd.api+json", "Content-Type": "application/vnd.api+json" };
  const connector = connect({ base_url: server.url, headers });
  await (await openDestination(connector, "c")).write(batchOf([{}]));
  await connector.lookup!([{ path: "/c", method: "POST", body: {} }], new AbortController().signal);
  for (const asked of server.asked) {
    expect(asked.headers).toMatchObject({ accept: headers.Accept, "content-type": headers["Content-Type"] });
  }
});

test("an abort ends a write with the signal's reason", async () => {
  const controller = new AbortController();
  const server = await serveHere(() => {
    controller.abort(new Error("enough"));
    return undefined;
  });
  const destination = await openDestination(connect({ base_url: server.url }), "c");
  await expect(destination.write(batchOf([{}], { signal: controller.signal }))).rejects.toThrow("enough");
});

test.each([
  [undefined, "<!DOCTYPE html><html><title>Log in</title>", true],
  [undefined, "<!-- SSO -->\n<HTML><body>", true],
  [undefined, "ok", false],
  [undefined, "", false],
  ["json", '{"id":1}', false],
  ["json", " ", false],
  ["json", "ok", true],
  ["json", "<html>", true],
  ["any", "<html>", false],
])("with answer %s, 200 and %j is a fault of the far side: %s", async (answer, body, isFault) => {
  const server = await serveHere(() => ({ headers: { "content-type": "text/html; charset=utf-8" }, body }));
  const streams = { c: { append: { batch: { records: 2 }, ...(answer && { answer }) } } };
  const destination = await openDestination(connect({ base_url: server.url, streams }), "c");
  const written = destination.write(batchOf([{}, {}]));
  if (!isFault) {
    expect(await written).toEqual({ failed: [] });
    return;
  }
  const error = { code: "UNAVAILABLE", fault: "destination", path: "config.streams.c.append.answer" };
  await expect(written).rejects.toMatchObject(error);
  // It is no record's fault, and not looked for by halving.
  expect(server.asked).toHaveLength(1);
});

test("an error page is told by its title, and an answer that is compressed is understood", async () => {
  const page = gzipSync("<!DOCTYPE html><html><title> Bad \n Gateway </title>");
  const server = await serveHere(() => ({
    status: 502,
    headers: { "content-type": "text/html", "content-encoding": "gzip" },
    body: page,
  }));
  const destination = await openDestination(connect({ base_url: server.url }), "c");
  const { failed = [] } = await destination.write(batchOf([{}]));
  expect(failed[0]?.message).toBe(`POST ${server.url}/c answered 502: an HTML page with the title "Bad Gateway".`);
});

test("mode replace, a missing key and an unknown stream are refused at once, naming the setting", async () => {
  const connector = connect({ base_url: "http://127.0.0.1:1", streams: { c: {} } });
  const refused = (stream: string, mode: "replace" | "upsert" | "append") =>
    openDestination(connector, stream, { mode });
  await expect(refused("c", "replace")).rejects.toMatchObject({ path: "destination.mode" });
  await expect(refused("c", "upsert")).rejects.toMatchObject({ path: "destination.key" });
  await expect(refused("d", "append")).rejects.toMatchObject({ path: "destination.stream" });
  const batches: [JsonObject, string][] = [
    [{ batch: { records: 2, body: { items: [] } } }, "append.batch.body"],
    [{ batch: { records: 2, body: "all: {{ $.records }}" } }, "append.batch.body"],
    [{ batch: { records: 2, body: ["{{ $.records }}", "{{ $.records }}"] } }, "append.batch.body"],
    [{ batch: { records: 2, format: "ndjson", body: {} } }, "append.batch.body"],
    [{ batch: { records: 2 }, body: { id: "{{ $.id }}" } }, "append.body"],
    [{ batch: { records: 2 }, results: { path: "$.r" } }, "append.results.status"],
    [{ batch: { records: 2 }, results: { path: "$.r", only_failures: true } }, "append.results.index"],
  ];
  for (const [append, path] of batches) {
    const wrong = connect({ base_url: "http://127.0.0.1:1", streams: { c: { append } } });
    await expect(openDestination(wrong, "c")).rejects.toMatchObject({ path: `config.streams.c.${path}` });
  }
  const bad = connect({ base_url: "http://127.0.0.1:1", streams: { c: { append: { body: { a: "{{ $.[ }}" } } } } });
  await expect(openDestination(bad, "c")).rejects.toMatchObject({ path: "config.streams.c.append.body" });
});

test("a stop leaves what is under way and what was not sent, and what was answered is written", async () => {
  const underWay = Promise.withResolvers<void>();
  const server = await serveHere(({ body }) => {
    if (!body.includes('"id":2')) return { status: 201 };
    underWay.resolve();
    return undefined;
  });
  const destination = await openDestination(connect({ base_url: server.url, concurrency: 1 }), "contacts");
  const ends = new AbortController();
  const writing = destination.write(batchOf([{ id: 0 }, { id: 1 }, { id: 2 }, { id: 3 }], { signal: ends.signal }));
  await underWay.promise;
  ends.abort(new Error("stopped"));
  expect(await writing).toEqual({ failed: [], left: [2, 3] });
  await expect(destination.write(batchOf([{ id: 4 }], { signal: ends.signal }))).rejects.toThrow("stopped");
  expect(server.asked).toHaveLength(3);
});

test("each request has its own time, and nothing more is sent once as many hang as go at once", async () => {
  const server = await serveHere(() => undefined);
  const connector = connect({ base_url: server.url, concurrency: 2 });
  const timeout = { connectMs: 30_000, readMs: 30_000, totalMs: 300 };
  const destination = await openDestination(connector, "contacts", { timeout });
  expect(destination.timesRequests).toBe(true);
  const records = Array.from({ length: 6 }, (_, id) => ({ id }));
  const written = await destination.write(batchOf(records));
  // A slot that is free before the second one hangs sends one more.
  const isHung = ({ failed = [], left = [] }: Pick<WriteResult, "failed" | "left">) =>
    failed.every(({ code }) => code === "TIMEOUT") && left.length >= 3 && failed.length + left.length === 6;
  expect(written).toSatisfy(isHung);
  const requests = records.map(({ id }) => ({ path: `/${id}` }));
  const { signal } = new AbortController();
  const answered = await connector.lookup!(requests, signal, undefined, undefined, 300);
  expect(answered).toSatisfy(isHung);
});
