import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import type { Identity } from "../auth/index.ts";
import { EventStream } from "../services/index.ts";
import { EventStreams } from "./event-streams.ts";

const caller: Identity = {
  ...{ id: "1", name: "a", owner: null, role: "viewer", scopes: new Set(), expiresAt: null, rateLimit: null },
};

/** A server that answers with a stream of events; what it has given, and whether it was let go. */
async function serve(text: string, everyMs = 20) {
  const given = { bytes: 0, ended: 0 };
  const known = { caller: caller as Identity | null };
  const streams = new EventStreams({ verify: async () => known.caller }, 300);
  const app = fastify({ forceCloseConnections: "idle" });
  const events = new EventStream(async function* (signal) {
    try {
      while (!signal.aborted) {
        given.bytes += text.length;
        yield text === "" ? [] : [{ event: "run", data: { text } }];
        await new Promise((resolve) => void setTimeout(resolve, everyMs));
      }
    } finally {
      given.ended++;
    }
  });
  app.addHook("preClose", async () => streams.close());
  app.get("/", (request, reply) => streams.send(events, caller, request, reply));
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  return { app, given, known, port, url: `http://127.0.0.1:${port}/` };
}

const authorization = { authorization: "Bearer slc_x" };

test("who does not read is cut off, and little is kept for it", async () => {
  const { given, port } = await serve("x".repeat(60_000), 0);
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer slc_x\r\n\r\n");
  await expect.poll(() => given.ended).toBe(1);
  // What the system's own buffers hold is most of it.
  expect(given.bytes).toBeLessThan(64 * 1024 * 1024);
});

test("a caller has so many streams at once, and one that goes makes room", async () => {
  const { given, url } = await serve("");
  const open = async () => {
    const stop = new AbortController();
    const { status, headers, body } = await fetch(url, { headers: authorization, signal: stop.signal });
    if (status !== 200) await body?.cancel();
    return { status, retryAfter: headers.get("retry-after"), type: headers.get("content-type"), stop };
  };
  const streams = await Promise.all(Array.from({ length: 40 }, open));
  expect(new Set(streams.map(({ status, type }) => `${status} ${type}`))).toEqual(new Set(["200 text/event-stream"]));
  expect((await open()).status).toBe(500);
  streams[0]!.stop.abort();
  await expect.poll(() => given.ended).toBe(1);
  const again = await open();
  expect(again.status).toBe(200);
  for (const { stop } of [...streams, again]) stop.abort();
  await expect.poll(() => given.ended).toBe(41);
});

test("a stream ends with the key that it was opened with, and with the server", async () => {
  const { app, given, known, url } = await serve("");
  const read = async () => {
    const { body } = await fetch(url, { headers: authorization });
    return { ended: (body as ReadableStream).pipeTo(new WritableStream()) };
  };
  const cut = await read();
  known.caller = null;
  await expect(cut.ended).rejects.toThrow(/terminated/);
  await expect.poll(() => given.ended).toBe(1);
  known.caller = caller;
  const last = await read();
  await app.close();
  await last.ended;
  await expect.poll(() => given.ended).toBe(2);
});
