import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import { RequestLimits } from "../auth/index.ts";
import { addHookRoutes } from "./hook-routes.ts";
import { toProblem } from "./problem.ts";

/** A server that knows the hook `known`, which keeps requests until `go` settles. */
async function serve({ heldBytes = 1_000, refusedPerMinute = 0, go = Promise.resolve() } = {}) {
  const app = fastify();
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, request.id);
    if (error instanceof RetryLaterError) reply.header("retry-after", error.retryAfterMs / 1_000);
    reply.status(problem.status).send(problem);
  });
  let came = () => {};
  const floods: boolean[] = [];
  addHookRoutes(app, {
    heldBytes,
    limits: new RequestLimits({ perMinute: 0, refusedPerMinute, now: () => 0 }),
    receiver: {
      async exists(name, isFlood) {
        floods.push(isFlood);
        if (name !== "known" && name !== "other") throw new SluiceError("NOT_FOUND", "there is no such integration");
      },
      async receive(_, { headers }) {
        if (headers.authorization === "wrong") throw new SluiceError("UNAUTHORIZED", "it does not fit");
        came();
        await go;
        return "accepted";
      },
      async confirm() {
        throw new SluiceError("UNAUTHORIZED", "it does not fit");
      },
    },
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v1/hooks`;
  const post = (name: string, bytes: number, headers: Record<string, string> = {}) =>
    fetch(`${url}/${name}`, { method: "POST", body: new Uint8Array(bytes), headers });
  return {
    url,
    post,
    floods,
    next: () => new Promise<void>((resolve) => (came = resolve)),
    open(): Socket {
      const socket = connect(port, "127.0.0.1");
      onTestFinished(() => void socket.destroy());
      return socket;
    },
  };
}

test("a name that does not exist is answered 404 before anything of the body has come", async () => {
  const { open } = await serve();
  const socket = open();
  socket.write("POST /v1/hooks/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 8000000\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 404 /);
});

test("one integration's bodies that do not end leave others half of what a node holds", async () => {
  const { open, post } = await serve({ heldBytes: 1_000_000 });
  const answers: string[] = [];
  for (let n = 0; n < 8; n++) {
    const socket = open().on("data", (chunk: Buffer) => void answers.push(chunk.toString()));
    socket.write("POST /v1/hooks/known HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
    socket.write(Buffer.alloc(150_000));
  }
  // Three of them are held, the other five refused.
  await expect.poll(() => answers.length, { timeout: 60_000 }).toBe(5);
  expect(answers.every((answer) => /^HTTP\/1\.1 503 /.test(answer))).toBe(true);
  expect((await post("known", 100_000)).status).toBe(503);
  expect((await post("other", 200_000)).status).toBe(202);
});

test("more than a node holds of bodies is answered 503 with Retry-After, and taken again once others are answered", async () => {
  const { promise: go, resolve } = Promise.withResolvers<void>();
  const { post, next } = await serve({ go });
  const came = next();
  const first = post("known", 450);
  await came;
  const second = await post("known", 100);
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await second.json()).toMatchObject({ code: "UNAVAILABLE" });
  resolve();
  expect((await first).status).toBe(202);
  // What is answered is let go of when its connection is told so, which may be after its client was.
  await expect.poll(async () => (await post("known", 500)).status, { timeout: 60_000 }).toBe(202);
});

test("a body that its sender breaks off is held no longer", async () => {
  const { open, post } = await serve({ heldBytes: 200_000 });
  for (let turn = 0; turn < 3; turn++) {
    const socket = open();
    socket.write("POST /v1/hooks/known HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
    socket.write(Buffer.alloc(60_000));
    await once(socket, "connect");
    socket.end();
    socket.resume();
    await once(socket, "close");
  }
  await expect.poll(async () => (await post("known", 100_000)).status, { timeout: 60_000 }).toBe(202);
});

test("wrong signatures, tokens and unknown names count by address; who proves itself is taken on", async () => {
  const { url, post, floods } = await serve({ refusedPerMinute: 3 });
  const wrong = { authorization: "wrong" };
  expect((await post("known", 1, wrong)).status).toBe(401);
  expect((await post("none", 1)).status).toBe(404);
  const asked = `${url}/known?hub.mode=subscribe&hub.verify_token=t&hub.challenge=c`;
  expect((await fetch(asked)).status).toBe(401);
  expect((await post("known", 1, wrong)).status).toBe(429);
  expect((await post("none", 1)).status).toBe(429);
  expect((await post("known", 1)).status).toBe(202);
  // From the third on the address has none left, and what it asks for may wait for more of them.
  expect(floods).toEqual([false, false, false, true, true, true]);
});
