import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { routes } from "../../gateway/rest/routes.ts";
import { type Api, fileConnector, integration, startApi } from "./support.ts";

/** What no answer may have. */
const traces = /\bat (?:async )?[\w.<>]+ \(|\.[jt]s:\d+|node:internal|node_modules|pg_|syntax error at/;

async function listening(more?: Parameters<typeof startApi>[0]): Promise<Api & { readonly port: number }> {
  const api = await startApi(more);
  await api.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = api.app.server.address() as { port: number };
  return { ...api, port };
}

/** All that the server answers to these bytes until it closes the connection. */
async function answersTo(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(bytes);
  const answer = await text(socket).catch(() => "");
  return answer;
}

/** Statuses of the answers in a text, and the bodies of those that are problems. */
function answersIn(all: string) {
  const statuses = [...all.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  const codes = [...all.matchAll(/\{"type":"about:blank".*?"code":"(\w+)"/g)].map(([, code]) => code);
  return { statuses, codes };
}

test("requests whose end two parsers would see in two places are refused, and nothing is served behind them", async () => {
  const { port, token } = await listening();
  const head = (method: string, path: string) =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  const hidden = `${head("GET", "/v1/connectors")}Connection: close\r\n\r\n`;
  const smuggled: Record<string, string> = {
    "Content-Length and Transfer-Encoding": `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "Transfer-Encoding and Content-Length": `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
    "two lengths": `Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    "a length that is a list": `Content-Length: 2, 2\r\n\r\n{}`,
    "a length with a sign": `Content-Length: +2\r\n\r\n{}`,
    "a negative length": `Content-Length: -2\r\n\r\n{}`,
    "a length in hexadecimal": `Content-Length: 0x2\r\n\r\n{}`,
    "a folded header": `X-A: 1\r\n b: 2\r\nContent-Length: 2\r\n\r\n{}`,
    "a folded Transfer-Encoding": `Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    "a space before the colon": `Content-Length : 2\r\n\r\n{}`,
    "a coding that is not the last": `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    "a coding with another name": `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    "a chunk whose length is none": `Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    "a chunk that is longer than it says": `Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
    "a chunk of more than there can be": `Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
    "a NUL in a header": `X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}`,
    "a carriage return alone": `X-A: a\rContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
  };
  for (const [what, rest] of Object.entries(smuggled)) {
    const all = await answersTo(port, head("POST", "/v1/nothing") + rest + hidden);
    const { statuses, codes } = answersIn(all);
    // Refused when its head was read, or its body; whatever stands behind it is no request.
    expect([what, statuses.every((status) => status >= 400 && status < 500)]).toEqual([what, true]);
    expect([what, codes.length, [1, 2].includes(statuses.length)]).toEqual([what, statuses.length, true]);
    expect(all).not.toMatch(traces);
    expect(all).not.toContain('"items"');
  }
});

test("a request without a Host, or with two, is refused with a problem document", async () => {
  const { port } = await listening();
  const ask = (head: string) => answersTo(port, `GET /healthz HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
  for (const head of ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n"]) {
    expect([head, answersIn(await ask(head))]).toEqual([head, { statuses: [400], codes: ["VALIDATION_ERROR"] }]);
  }
  expect(answersIn(await ask("Host: a\r\n")).statuses).toEqual([200]);
  expect(await answersTo(port, "GET /healthz HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
});

test("paths are taken as they are: no dots, no double slashes, no escapes lead anywhere else", async () => {
  const { port, token, call } = await listening();
  const made = (await call("POST", "/v1/connectors", { name: "hole", type: "blackhole" })).body;
  const paths = [
    "/v1/%2e%2e/healthz",
    "/v1/../healthz",
    "/healthz/../v1/connectors",
    "/healthz/%2e%2e/v1/connectors",
    "//v1/connectors",
    "/v1//connectors",
    "/v1/connectors/",
    "/v1/./connectors",
    "/V1/connectors",
    "/v1/connectors%2f",
    `/v1%2fconnectors%2f${made.id}`,
    `/v1/connectors/${made.id}%00`,
    `/v1/connectors/${made.id}%2f..%2f..%2fapi-keys`,
    `/v1/connectors/..%2fapi-keys`,
    "/v1/connectors/%c0%ae%c0%ae",
    "/v1/connectors/%ff",
    "/v1/connectors;x=1",
    `/v1/connectors/${"a".repeat(10_000)}`,
    `/v1/connectors/${"%61".repeat(200)}`,
  ];
  for (const path of paths) {
    const ask = (authorization: string) =>
      answersTo(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${authorization}Connection: close\r\n\r\n`);
    const all = await ask(`Authorization: Bearer ${token}\r\n`);
    const { statuses, codes } = answersIn(all);
    expect([path.slice(0, 60), statuses.length, [400, 404, 414].includes(statuses[0]!)]).toEqual([
      path.slice(0, 60),
      1,
      true,
    ]);
    expect([path.slice(0, 60), codes.length]).toEqual([path.slice(0, 60), 1]);
    expect(all).not.toMatch(traces);
    // None of them is a way around the token.
    expect([path.slice(0, 60), answersIn(await ask("")).statuses[0]! >= 400]).toEqual([path.slice(0, 60), true]);
  }
});

test("bodies that are too large, too deep, doubled or no JSON are refused before anything is made of them", async () => {
  const { port, token, app, call } = await listening();
  const body = (payload: string | Buffer) =>
    app.inject({
      method: "POST",
      url: "/v1/connectors",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      payload,
    });
  const bombs: Record<string, string | Buffer> = {
    depth: "[".repeat(200_000),
    "depth that is closed": `${'{"a":'.repeat(1_001)}1${"}".repeat(1_001)}`,
    names: `{${Array.from({ length: 10_001 }, (_, i) => `"n${i}":1`).join(",")}}`,
    "a name twice": '{"name":"a","type":"blackhole","name":"b"}',
    "a name twice, once escaped": '{"name":"a","type":"blackhole","n\\u0061me":"b"}',
    "no UTF-8": Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    "an overlong slash": Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
    "a lone surrogate in UTF-8": Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    "an unknown field": '{"name":"a","type":"blackhole","typ":"x"}',
    "a wrong type": '{"name":7,"type":"blackhole"}',
    "a prototype": '{"name":"a","type":"blackhole","__proto__":{"admin":true}}',
    "a constructor": '{"name":"a","type":"blackhole","constructor":{"prototype":{}}}',
    NaN: '{"name":NaN}',
    "a NUL in a name": '{"name":"a\\u0000b","type":"blackhole"}',
    "two values": "{}{}",
  };
  for (const [what, payload] of Object.entries(bombs)) {
    const answer = await body(payload);
    expect([what, answer.statusCode]).toEqual([what, 400]);
    expect(answer.json()).toMatchObject({ code: "VALIDATION_ERROR", request_id: expect.any(String) });
    expect(answer.body).not.toMatch(traces);
  }
  expect(({} as { admin?: true }).admin).toBeUndefined();

  const head = `POST /v1/apply HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  // Announced, it is refused before it is sent.
  const announced = connect(port, "127.0.0.1");
  announced.write(`${head}Content-Length: 104857600\r\n\r\n[`);
  const [first] = (await once(announced, "data")) as [Buffer];
  announced.destroy();
  expect(answersIn(first.toString())).toEqual({ statuses: [413], codes: ["VALIDATION_ERROR"] });
  // Sent piece by piece, it is refused while it comes.
  const pieces = connect(port, "127.0.0.1")
    .setMaxListeners(0)
    .on("error", () => {});
  pieces.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  const piece = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x10_0000, " "), Buffer.from("\r\n")]);
  const refusal = once(pieces, "data") as Promise<[Buffer]>;
  for (let i = 0; i < 100 && !pieces.destroyed; i++) {
    if (!pieces.write(piece)) await Promise.race([once(pieces, "drain"), once(pieces, "close"), refusal]);
  }
  expect(answersIn((await refusal)[0].toString())).toEqual({ statuses: [413], codes: ["VALIDATION_ERROR"] });
  pieces.destroy();
  expect((await call("GET", "/v1/connectors")).body.items).toEqual([]);
});

const injections = [
  "' OR '1'='1",
  "'; DROP TABLE sluice.connectors; --",
  "1) UNION SELECT hash FROM sluice.api_keys --",
  "$1",
  "%",
  "_",
  "\\",
  "$..*",
  "$[?@.name == 'a' || true]",
  '{"$ne":null}',
  "\u0000",
  "a\u0000b",
  "../../etc/passwd",
  "MHgx",
  Buffer.from("' OR 1=1").toString("base64url"),
  Buffer.from("99999999999999999999").toString("base64url"),
  "x".repeat(5_000),
];

test("no parameter of any list is a way into a query", async () => {
  const api = await startApi();
  const { call } = api;
  await call("POST", "/v1/connectors", fileConnector(api));
  const { id } = (await call("POST", "/v1/integrations", integration())).body;
  const lists = routes.filter(({ method, query }) => method === "GET" && query !== undefined);
  expect(lists.length).toBeGreaterThanOrEqual(8);
  for (const { path, query } of lists) {
    const url = path.replaceAll(/\{\w+\}/g, id);
    for (const name of [...Object.keys(query!), "sort", "__proto__", "constructor", "limit[]", "name[$ne]"]) {
      for (const value of injections) {
        const { status, body } = await call("GET", `${url}?${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
        expect([url, name, value.slice(0, 40), [200, 400, 404, 414].includes(status)]).toEqual([
          url,
          name,
          value.slice(0, 40),
          true,
        ]);
        if (status === 200) expect([url, name, value, body.items]).toEqual([url, name, value, []]);
        else expect(JSON.stringify(body)).not.toMatch(traces);
      }
    }
  }
  for (const { path } of routes.filter(({ method, path }) => method === "GET" && path.endsWith("}"))) {
    for (const value of injections) {
      const { status } = await call("GET", path.replace(/\{\w+\}/, encodeURIComponent(value)));
      expect([path, value.slice(0, 40), [400, 404, 414].includes(status)]).toEqual([path, value.slice(0, 40), true]);
    }
  }
  expect((await call("GET", "/v1/connectors")).body.items).toHaveLength(1);
});

test("ten thousand connections that never end their requests keep nobody else waiting, and are cut off", {
  timeout: 240_000,
}, async () => {
  const { port, token } = await listening({ patience: { headersTimeout: 6_000, requestTimeout: 6_000 } });
  // Node has raised it as far as it may, and so does the clients' process.
  const allowed = Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" })) || 100_000;
  const count = Math.min(10_000, allowed - 500);
  const program = fileURLToPath(new URL("programs/slow-clients.ts", import.meta.url));
  const clients = spawn(process.execPath, [program, String(port), String(count), token], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void clients.kill());
  const lines = createInterface(clients.stdout)[Symbol.asyncIterator]();
  const told = async () => JSON.parse((await lines.next()).value as string);
  expect((await told()).open).toBeGreaterThan(Math.min(count, 2_000) - 1);
  const answer = await fetch(`http://127.0.0.1:${port}/v1/connectors`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(200);
  // Those that had begun are told why, too.
  const { none: _, ...answered } = (await told()).statuses;
  expect(Object.keys(answered)).toEqual(["408"]);
});
