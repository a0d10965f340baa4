import { afterAll, beforeAll, expect, it } from "vitest";
import { connectNats, connectOwners, type NatsLink } from "../../adapters/jetstream/index.ts";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import type { Owners } from "../../runtime/ports/owners.ts";
import { startServer, type TestServer } from "./server.ts";

let server: TestServer;
const links: NatsLink[] = [];
let here: Owners;
let there: Owners;

beforeAll(async () => {
  server = await startServer();
  for (const name of ["here", "there"]) links.push(await connectNats({ url: server.url, name }));
  [here, there] = links.map(connectOwners) as [Owners, Owners];
}, 900_000);
afterAll(async () => {
  for (const link of links) await link.close();
  await server.remove();
});

let last = 0;
const newId = () => `00000000-0000-7000-8000-${String(++last).padStart(12, "0")}`;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const patient = { timeoutMs: 60_000 };
/** The server knows of a subscription once it has answered what came after it. */
const known = () => Promise.all(links.map((link) => link.connection.flush()));

it("an owner is asked from any node, and on its own without a server between", async () => {
  const id = newId();
  const end = here.serve(id, "echo", async (request) => bytes(`${text(request)}!`));
  await known();
  expect(text(await there.ask(id, "echo", bytes("far"), patient))).toBe("far!");
  expect(text(await here.ask(id, "echo", bytes("near"), patient))).toBe("near!");
  await expect(there.ask(id, "other", bytes(""), patient)).rejects.toThrow(RetryLaterError);
  end();
});

it("an integration that nobody serves, or nobody any more, is UNAVAILABLE at once", async () => {
  const id = newId();
  const unavailable = expect.objectContaining({ code: "UNAVAILABLE", retryAfterMs: 1_000 });
  await expect(there.ask(id, "echo", bytes("x"), patient)).rejects.toEqual(unavailable);
  const end = here.serve(id, "echo", async (request) => request);
  await known();
  await there.ask(id, "echo", bytes("x"), patient);
  end();
  await known();
  await expect(there.ask(id, "echo", bytes("x"), patient)).rejects.toEqual(unavailable);
  await expect(here.ask(id, "echo", bytes("x"), patient)).rejects.toEqual(unavailable);
});

it("an owner whose node has died is UNAVAILABLE, until the next one serves", async () => {
  const id = newId();
  const link = await connectNats({ url: server.url, name: "dies" });
  connectOwners(link).serve(id, "echo", async () => bytes("first"));
  await link.connection.flush();
  expect(text(await there.ask(id, "echo", bytes("x"), patient))).toBe("first");
  await link.connection.close();
  await expect
    .poll(() => there.ask(id, "echo", bytes("x"), patient).catch(({ code }) => code), { timeout: 60_000 })
    .toBe("UNAVAILABLE");
  const end = here.serve(id, "echo", async () => bytes("second"));
  await known();
  expect(text(await there.ask(id, "echo", bytes("x"), patient))).toBe("second");
  end();
});

it("what an owner throws is thrown where it was asked, near and far", async () => {
  const id = newId();
  const thrown = new Map<string, Error>([
    ["own", new SluiceError("BUSINESS_RULE", "no: grüße\nand more", [{ path: "a.b", message: "is wrong" }])],
    ["later", new RetryLaterError("busy", 2_500)],
    ["limit", new RetryLaterError("too many", 70, "RATE_LIMITED")],
    ["other", new TypeError("x is not a function")],
  ]);
  const end = here.serve(id, "fail", async (request) => {
    throw thrown.get(text(request));
  });
  await known();
  for (const node of [here, there]) {
    const outcome = (what: string) => node.ask(id, "fail", bytes(what), patient).catch((error: unknown) => error);
    expect(await outcome("own")).toEqual(
      expect.objectContaining({
        code: "BUSINESS_RULE",
        message: "no: grüße\nand more",
        errors: [{ path: "a.b", message: "is wrong" }],
      }),
    );
    expect(await outcome("later")).toEqual(expect.objectContaining({ code: "UNAVAILABLE", retryAfterMs: 2_500 }));
    expect(await outcome("limit")).toEqual(expect.objectContaining({ code: "RATE_LIMITED", retryAfterMs: 70 }));
    expect(await outcome("other")).toEqual(
      expect.objectContaining({ code: "INTERNAL_ERROR", message: "x is not a function" }),
    );
    expect(await outcome("own")).toBeInstanceOf(SluiceError);
  }
  end();
});

it("who asks waits no longer than it says, and the owner is told that nobody waits any more", async () => {
  const id = newId();
  const aborted: Promise<void>[] = [];
  const end = here.serve(id, "slow", (_, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    aborted.push(promise);
    return new Promise(() => {});
  });
  await known();
  for (const node of [here, there]) {
    await expect(node.ask(id, "slow", bytes(""), { timeoutMs: 50 })).rejects.toThrow(
      expect.objectContaining({ code: "TIMEOUT" }),
    );
  }
  // What comes when nobody waits is not begun.
  expect(aborted.length).toBeGreaterThan(0);
  await Promise.all(aborted);
  end();
});

it("of two that serve on one node the later one is asked, and the former one again when it has stopped", async () => {
  const id = newId();
  const endFirst = here.serve(id, "who", async () => bytes("first"));
  const endSecond = here.serve(id, "who", async () => bytes("second"));
  await known();
  for (const node of [here, there]) expect(text(await node.ask(id, "who", bytes(""), patient))).toBe("second");
  endSecond();
  await known();
  for (const node of [here, there]) expect(text(await node.ask(id, "who", bytes(""), patient))).toBe("first");
  endFirst();
});

it("what is larger than nats-server takes is refused, near and far, and the connection stays", async () => {
  const id = newId();
  const end = here.serve(id, "echo", async (request) => request);
  const endLarge = here.serve(id, "large", async () => new Uint8Array(here.maxBytes + 1));
  await known();
  const atMost = new Uint8Array(there.maxBytes).fill(7);
  for (const node of [here, there]) {
    await expect(node.ask(id, "echo", new Uint8Array(node.maxBytes + 1), patient)).rejects.toThrow(
      expect.objectContaining({ code: "VALIDATION_ERROR" }),
    );
    expect(Buffer.compare(await node.ask(id, "echo", atMost, patient), atMost)).toBe(0);
  }
  await expect(there.ask(id, "large", bytes(""), patient)).rejects.toThrow(
    expect.objectContaining({ code: "INTERNAL_ERROR" }),
  );
  end();
  endLarge();
});

it("while the server is away another node's integration is UNAVAILABLE, and an own one is served", async () => {
  const [id, own] = [newId(), newId()];
  const ends = [here.serve(id, "echo", async (request) => request), there.serve(own, "echo", async (r) => r)];
  await known();
  await server.kill();
  await expect.poll(() => links.some(({ connected }) => connected), { timeout: 60_000 }).toBe(false);
  await expect(there.ask(id, "echo", bytes("x"), patient)).rejects.toThrow(RetryLaterError);
  expect(text(await there.ask(own, "echo", bytes("x"), patient))).toBe("x");
  await server.start();
  await expect
    .poll(() => there.ask(id, "echo", bytes("x"), patient).then(text, ({ code }) => code), { timeout: 60_000 })
    .toBe("x");
  for (const end of ends) end();
}, 200_000);
