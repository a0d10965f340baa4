import { expect, test } from "vitest";
import type { JsonObject } from "../connectors/sdk/index.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import { Account } from "./account.ts";

const run = { id: "run", integrationId: "integration", integrationVersion: 1 };

const message = (lines: readonly string[]): LogMessage => ({
  header: {
    kind: "records",
    runId: "run",
    integrationVersion: 1,
    stream: "s",
    source: "s",
    count: lines.length,
    cursor: null,
    position: { base: "b", offset: 1 },
    ingestedAt: 0,
    totals: { batches: 1, records: lines.length },
  },
  body: Buffer.from(lines.join("\n")),
  sequence: 1,
  deliveries: 1,
  bytes: 0,
  ack: async () => {},
  working: () => {},
});

test("ten thousand children of a large record that fail do not copy it ten thousand times", () => {
  const account = new Account(message(['{"n":1}', '{"n":2}']), run);
  let written = 0;
  const state = {
    toJSON: () => {
      written++;
      return { n: 2 };
    },
  } as unknown as JsonObject;
  const refusal = {
    step: "each",
    rule: null,
    code: "VALIDATION_ERROR",
    message: "no",
    attempts: [],
    errors: [],
    state,
  } as const;
  for (let n = 0; n < 10_000; n++) account.refused({ ...refusal, origin: 1, child: String(n) }, false);
  account.refused({ ...refusal, origin: 0, child: "", state: { n: 1 } }, false);
  const [first, second] = account.deadLetters;
  expect(account.deadLetters).toHaveLength(10_001);
  expect([written, first?.state]).toEqual([1, '{"n":2}']);
  expect(first?.raw).toBe(second?.raw);
  expect(String(first?.raw)).toBe('{"n":2}');
  expect(account.deadLetters.at(-1)).toMatchObject({ state: '{"n":1}' });
  expect(String(account.deadLetters.at(-1)?.raw)).toBe('{"n":1}');
  expect(account.close()).toEqual({ reached: 0, filtered: 0, failed: 2 });
});
