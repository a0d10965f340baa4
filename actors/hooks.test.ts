import { expect, test } from "vitest";
import { RetryLaterError } from "../runtime/errors/index.ts";
import { encodeHooks, hookId, Outcome } from "../runtime/hooks/index.ts";
import type { Log } from "../runtime/ports/log.ts";
import type { Serve } from "../runtime/ports/owners.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { openHooks } from "./hooks.ts";

test("while the log takes no more, what is sent waits up to a bound, is refused above it, and nothing taken is lost", async () => {
  let serve: Serve | undefined;
  const log = {
    beyond: async () => 0,
    async *headers() {},
  } satisfies Pick<Log, "beyond" | "headers">;
  const owners = {
    maxBytes: 1024 * 1024,
    serve: (_: string, __: string, given: Serve) => {
      serve = given;
      return () => {};
    },
  };
  const { signal } = new AbortController();
  const options = { integrationId: "i", owners, log, clock: new VirtualClock(), toleranceMs: 300_000 };
  const source = await openHooks(options, { from: null, batch: { records: 100_000, bytes: 1e9 }, signal });
  const ask = async (from: number, count: number) => {
    const records = Array.from({ length: count }, (_, n) => {
      const id = Buffer.from(String(from + n).padStart(12, "0")).toString("base64");
      return { text: Buffer.from(`{"n":${from + n}}`), id, headers: null, correlation: null };
    });
    return Array.from(await serve!(encodeHooks(records), signal));
  };
  // Nothing is read: the log is at its threshold.
  const waiting = [ask(0, 4_000), ask(4_000, 1_000)];
  const refused = ask(5_000, 1);
  await expect(refused).rejects.toBeInstanceOf(RetryLaterError);
  await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE", retryAfterMs: 1_000 });
  const read = source.read()[Symbol.asyncIterator]();
  const { value: first } = await read.next();
  const lines = Buffer.from(first!.data).toString().split("\n");
  expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
  // Read is not stored: what comes again waits with it.
  const again = ask(4_999, 1);
  source.stored?.(first!.cursor);
  const outcomes = (await Promise.all(waiting)).flat();
  expect(outcomes).toHaveLength(5_000);
  expect(new Set(outcomes)).toEqual(new Set([Outcome.stored]));
  expect(await again).toEqual([Outcome.duplicate]);
  // What was refused is taken when it comes again.
  const late = ask(5_000, 1);
  const { value: second } = await read.next();
  source.stored?.(second!.cursor);
  expect(await late).toEqual([Outcome.stored]);
  await source.close();
});

test("a request that was taken as one record is not taken as several by another header, nor the other way round", async () => {
  let serve: Serve | undefined;
  const log = { beyond: async () => 0, async *headers() {} } satisfies Pick<Log, "beyond" | "headers">;
  const owners = {
    maxBytes: 1024 * 1024,
    serve: (_: string, __: string, given: Serve) => {
      serve = given;
      return () => {};
    },
  };
  const { signal } = new AbortController();
  const options = { integrationId: "i", owners, log, clock: new VirtualClock(), toleranceMs: 300_000 };
  const source = await openHooks(options, { from: null, batch: { records: 100, bytes: 1e6 }, signal });
  const send = async (...ids: string[]) => {
    const records = ids.map((id) => ({ text: Buffer.from("{}"), id, headers: null, correlation: null }));
    return Array.from(await serve!(encodeHooks(records), signal));
  };
  const read = source.read()[Symbol.asyncIterator]();
  const store = async () => {
    const { value } = await read.next();
    source.stored?.(value!.cursor);
  };
  const parts = (request: string) => [0, 1, 2].map((part) => hookId(request, part));
  const { stored, duplicate } = Outcome;
  // Both before either is in the log, and after it.
  const first = [send(hookId("a")), send(...parts("a")), send(...parts("b")), send(hookId("b"))];
  await store();
  const outcomes = [[stored], [duplicate, duplicate, duplicate], [stored, stored, stored], [duplicate]];
  expect(await Promise.all(first)).toEqual(outcomes);
  expect(await send(...parts("a"))).toEqual([duplicate, duplicate, duplicate]);
  expect(await send(hookId("b"))).toEqual([duplicate]);
  // Of a request that was kept in part, the rest is taken when it comes again.
  const some = send(parts("c")[0]!);
  await store();
  const rest = send(...parts("c"));
  await store();
  expect([await some, await rest]).toEqual([[stored], [duplicate, stored, stored]]);
  await source.close();
});
