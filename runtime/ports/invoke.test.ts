import { expect, it } from "vitest";
import { encodeInvoked, type Invoked } from "./invoke.ts";

const record = { text: "a".repeat(400) };
const destination = { status: "delivered", out: 1, failed: 0, records: [record], error: null } as const;
const invoked: Invoked = {
  record_id: "r",
  run_id: "n",
  status: "delivered",
  kept: true,
  record,
  by_destination: { a: destination, b: destination },
  failures: [],
  reason: null,
};
const decoded = (answer: Uint8Array) => JSON.parse(Buffer.from(answer).toString()) as Invoked;

it("an answer that is not too large has all of it", () => {
  const { length } = JSON.stringify(invoked);
  expect(decoded(encodeInvoked(invoked, length))).toEqual(invoked);
});

it("an answer that would be too large has no records, and all that became of them", () => {
  const { length } = JSON.stringify(invoked);
  const bare = { ...destination, records: [] };
  const answer = encodeInvoked(invoked, length - 1);
  expect(answer.length).toBeLessThan(length);
  expect(decoded(answer)).toEqual({ ...invoked, record: null, by_destination: { a: bare, b: bare } });
});

it("of many long failures it has some, shortened, those first that make it one", () => {
  const errors = Array.from({ length: 50 }, () => ({ path: "p".repeat(1_000), message: "m".repeat(1_000) }));
  const failures = Array.from({ length: 100 }, (_, i) => {
    const message = "f".repeat(10_000);
    return { step: `${i}`, rule: null, code: "VALIDATION_ERROR", message, errors, dropped: i < 99 } as const;
  });
  const error = { code: "UNAVAILABLE", message: "e".repeat(1_000_000), attempts: 3 } as const;
  const by_destination = { a: { ...destination, status: "failed", out: 0, failed: 1, error } } as const;
  const answer = encodeInvoked({ ...invoked, status: "failed", failures, by_destination }, 100_000);
  expect(answer.length).toBeLessThan(100_000);
  const told = decoded(answer);
  expect(told).toMatchObject({
    status: "failed",
    kept: true,
    by_destination: { a: { failed: 1, error: { attempts: 3 } } },
  });
  expect(told.failures[0]).toMatchObject({ step: "99", dropped: false });
});
