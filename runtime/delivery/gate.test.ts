import { expect, test } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { Circuit } from "./circuit.ts";
import { Gate } from "./gate.ts";
import { RateLimit } from "./rate-limit.ts";

test("what was taken of the rate limit for a write that the circuit then held back is not used up", async () => {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  let row: { state: Json | null; revision: number } = { state: null, revision: 0 };
  const quotas = {
    read: async () => ({ ...row, now: clock.now() }),
    write: async (_key: unknown, state: Json, of: number) => {
      row = { state, revision: of + 1 };
      return { revision: row.revision, now: clock.now() };
    },
  };
  const key = { integrationId: "i", destination: "crm" };
  const limit = new RateLimit({ limits: { perMinute: null, burst: 1, perDay: 2 }, key, quotas, clock });
  const circuit = new Circuit({
    failurePercent: 50,
    windowMs: 60_000,
    minimumCalls: 10,
    openForMs: 30_000,
    halfOpenRequests: 1,
  });
  const waits: (string | null)[] = [];
  const waiting = (reason: string | null) => {
    if (reason !== waits.at(-1)) waits.push(reason);
  };
  const gate = new Gate({ circuit, limit, clock, waiting, openTooLong: () => {} });
  const { signal } = new AbortController();
  const first = await gate.begin(signal);
  // It has the second's only call, so that this one waits.
  const second = gate.begin(signal);
  gate.end(first, { records: 1, failed: 1, broken: true, reason: "revoked", retryAfterMs: undefined });
  await clock.advance(29_000);
  expect(waits).toEqual(["revoked (circuit open until 2026-01-01T00:00:30Z)"]);
  await clock.advance(1_000);
  gate.end(await second, { records: 1, failed: 0, broken: false, reason: "", retryAfterMs: undefined });
  expect(waits.at(-1)).toBeNull();
  gate.begin(signal).catch(() => {});
  await clock.advance(5_000);
  expect(waits.at(-1)).toBe("rate limit of 2 calls a day reached (until 2026-01-02T00:00:00Z)");
  gate.close();
});

test("a circuit that a far side keeps open for an hour is told of after five minutes, once", async () => {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  const options = { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 };
  const told: string[] = [];
  const openTooLong = (ms: number, reason: string) => told.push(`${reason} for ${ms / 1000} s`);
  const gate = new Gate({ circuit: new Circuit(options), clock, waiting: () => {}, openTooLong });
  const { signal } = new AbortController();
  const failed = { records: 1, failed: 1, broken: true, reason: "closed for today", retryAfterMs: 3_600_000 };
  gate.end(await gate.begin(signal), failed);
  const next = gate.begin(signal);
  await clock.advance(290_000);
  expect(told).toEqual([]);
  await clock.advance(3_300_000);
  expect(told).toEqual(["closed for today for 300 s"]);
  await clock.advance(30_000);
  gate.end(await next, undefined);
  gate.close();
});
