import { expect, test } from "vitest";
import { batchOf, connect, openDestination, serveHere } from "../../tests/support/http-server.ts";
import type { CallLimit } from "../sdk/index.ts";

const people = Array.from({ length: 12 }, (_, id) => ({ id }));

/** Lets so many further requests pass; the next ones wait until they are given up. */
function limitOf(most: number) {
  let asked = 0;
  let waits = 0;
  const limit: CallLimit = {
    take(signal) {
      if (++asked <= most) return Promise.resolve();
      waits++;
      return new Promise((_, reject) => {
        signal.throwIfAborted();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
  };
  return {
    limit,
    get asked() {
      return asked;
    },
    get waits() {
      return waits;
    },
  };
}

test("each request of a write but its first asks for leave", async () => {
  const server = await serveHere(() => ({ status: 201 }));
  const grants = limitOf(Number.POSITIVE_INFINITY);
  const destination = await openDestination(connect({ base_url: server.url }), "contacts");
  const { limit } = grants;
  expect(await destination.write(batchOf(people, { limit }))).toEqual({ failed: [] });
  expect([server.asked.length, grants.asked]).toEqual([12, 11]);
  await destination.write(batchOf(people.slice(0, 3), { limit, ordered: true }));
  expect([server.asked.length, grants.asked]).toEqual([15, 13]);
});

test("a batch that goes as one request asks for nothing, and each of its halves does once it is refused", async () => {
  const server = await serveHere(({ body }) => ({ status: body.includes('"id":5') ? 422 : 200 }));
  const grants = limitOf(Number.POSITIVE_INFINITY);
  const streams = { contacts: { append: { batch: { records: 8 } } } };
  const destination = await openDestination(connect({ base_url: server.url, streams }), "contacts");
  const { limit } = grants;
  await destination.write(batchOf([{ id: 1 }, { id: 2 }], { limit }));
  expect([server.asked.length, grants.asked]).toEqual([1, 0]);
  const { failed } = await destination.write(batchOf(people.slice(0, 8), { limit }));
  expect(failed).toMatchObject([{ index: 5, code: "BUSINESS_RULE" }]);
  // 8, then 4 and 4, 2 and 2, 1 and 1.
  expect([server.asked.length, grants.asked]).toEqual([8, 6]);
});

test("a request with a new token asks for leave of its own; what takes the token does not", async () => {
  let token = 0;
  const server = await serveHere(({ path, headers }) => {
    if (path === "/token") return { body: { access_token: `t${++token}`, token_type: "Bearer" } };
    return { status: headers.authorization === "Bearer t2" ? 200 : 401 };
  });
  const auth = {
    type: "oauth2_client_credentials",
    token_url: `${server.url}/token`,
    client_id: "c",
    client_secret: "s",
  };
  const grants = limitOf(Number.POSITIVE_INFINITY);
  const destination = await openDestination(connect({ base_url: server.url, auth, concurrency: 1 }), "contacts");
  expect(await destination.write(batchOf(people.slice(0, 2), { limit: grants.limit }))).toEqual({ failed: [] });
  expect(server.asked.filter(({ path }) => path === "/contacts")).toHaveLength(3);
  expect(grants.asked).toBe(2);
});

test("after 429 nobody waits for leave any more: nothing more of the write is sent", async () => {
  const server = await serveHere(() => ({ status: 429, headers: { "retry-after": "2" } }));
  const destination = await openDestination(connect({ base_url: server.url, concurrency: 4 }), "contacts");
  const { failed, left } = await destination.write(batchOf(people, { limit: limitOf(0).limit }));
  expect(failed).toEqual([{ index: 0, code: "RATE_LIMITED", message: expect.any(String), retryAfterMs: 2_000 }]);
  expect(left?.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(server.asked).toHaveLength(1);
});

test("what is waited for leave is no part of a request's time, and a stop ends it: what is confirmed is told, and what is left", async () => {
  const server = await serveHere(() => ({ status: 200 }));
  const grants = limitOf(2);
  const config = { base_url: server.url, concurrency: 1, timeout: { total: "5s" } };
  const destination = await openDestination(connect(config), "contacts");
  const ends = new AbortController();
  const writing = destination.write(batchOf(people, { limit: grants.limit, signal: ends.signal }));
  await expect.poll(() => grants.waits, { timeout: 30_000 }).toBe(1);
  expect(server.asked).toHaveLength(3);
  ends.abort(new Error("enough"));
  expect(await writing).toEqual({ failed: [], left: [3, 4, 5, 6, 7, 8, 9, 10, 11] });
});

test("each look-up but the first asks for leave, and so does each redirect; a far side that is at fault ends all", async () => {
  const server = await serveHere(({ path }) =>
    path === "/old"
      ? { status: 302, headers: { location: "/new" } }
      : { status: path === "/no" ? 403 : 200, body: { path } },
  );
  const connector = connect({ base_url: server.url, concurrency: 2 });
  const { signal } = new AbortController();
  const grants = limitOf(Number.POSITIVE_INFINITY);
  const { answers } = await connector.lookup!(
    ["/a", "/b", "/old"].map((path) => ({ path })),
    signal,
    undefined,
    grants.limit,
  );
  expect(answers).toEqual([{ path: "/a" }, { path: "/b" }, { path: "/new" }]);
  expect([server.asked.length, grants.asked]).toEqual([4, 3]);
  const asking = connector.lookup!(
    ["/no", "/b", "/c"].map((path) => ({ path })),
    signal,
    undefined,
    limitOf(0).limit,
  );
  await expect(asking).rejects.toMatchObject({ code: "FORBIDDEN", fault: "destination" });
});
