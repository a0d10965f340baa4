import { expect, test } from "vitest";
import type { Log, LoggedHeader, LogStats } from "../runtime/ports/log.ts";
import { trim } from "./trim.ts";

interface Given {
  readonly floors: Readonly<Record<string, number>>;
  readonly beyond: number;
  /** By subject: what the first unsettled batch was made of. */
  readonly next?: Readonly<Record<string, number>>;
}

function logOf({ floors, beyond, next = {} }: Given) {
  const purged: Record<string, number> = {};
  const consumers: Record<string, LogStats["consumers"][string]> = {};
  for (const [name, ackFloor] of Object.entries(floors)) consumers[name] = { pending: 0, unacknowledged: 0, ackFloor };
  const log: Pick<Log, "stats" | "subjects" | "beyond" | "next" | "purge"> = {
    stats: async () => ({ born: 1, last: 0, bytes: 0, messages: 0, consumers }),
    subjects: async () => Object.keys(floors).flatMap((name) => (name.startsWith("sink-") ? [name.slice(5)] : [])),
    beyond: async () => beyond,
    next: async (subject) =>
      next[subject] === undefined
        ? null
        : ({ sequence: 0, header: { ingestSequence: next[subject] } } as unknown as LoggedHeader),
    purge: async (subject, sequence) => {
      purged[subject] = sequence;
    },
  };
  return { log: log as Log, purged };
}

test("what is settled and beyond the history goes, and nothing else", async () => {
  const deliver = logOf({ floors: {}, beyond: 0 });
  const old = logOf({ floors: { steps: 500 }, beyond: 300 });
  await trim({ ingest: old.log, deliver: deliver.log });
  expect(old.purged).toEqual({ "r.0": 300, t: 300 });
  const behind = logOf({ floors: { steps: 200 }, beyond: 300 });
  await trim({ ingest: behind.log, deliver: deliver.log });
  expect(behind.purged).toEqual({ "r.0": 200, t: 200 });
  expect(deliver.purged).toEqual({});
});

test("nothing goes of a log that no consumer has begun", async () => {
  const ingest = logOf({ floors: {}, beyond: 300 });
  await trim({ ingest: ingest.log, deliver: logOf({ floors: {}, beyond: 0 }).log });
  expect(ingest.purged).toEqual({ "r.0": 0, t: 0 });
});

test("each destination, also one that is gone, has its own floor, and originals stay for what is not delivered", async () => {
  const ingest = logOf({ floors: { steps: 9_000 }, beyond: 8_000 });
  const deliver = logOf({ floors: { "sink-a": 700, "sink-b": 90, "sink-gone": 650 }, beyond: 600, next: { b: 5_000 } });
  await trim({ ingest: ingest.log, deliver: deliver.log });
  expect(deliver.purged).toEqual({ a: 600, b: 90, gone: 600 });
  expect(ingest.purged["r.0"]).toBeLessThan(5_000 - 1_000);
  expect(ingest.purged["r.0"]).toBeGreaterThan(2_000);
});
