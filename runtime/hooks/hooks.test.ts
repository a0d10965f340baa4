import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { decodeHooks, encodeHooks, type HookRecord, SeenIds } from "./index.ts";

const idOf = (n: number) => createHash("sha256").update(String(n)).digest().subarray(0, 12).toString("base64");

test("records come out as they went in", () => {
  const records: HookRecord[] = [
    { text: Buffer.from('{"a":"ü"}'), id: idOf(1), headers: { "x-a": "1" }, correlation: { requestId: "r" } },
    { text: Buffer.alloc(0), id: null, headers: null, correlation: null },
    { text: Buffer.from("[1]"), id: null, headers: {}, correlation: null },
  ];
  const decoded = decodeHooks(new Uint8Array(encodeHooks(records)));
  expect(decoded.map(({ text, ...rest }) => ({ ...rest, text: Buffer.from(text).toString() }))).toEqual(
    records.map(({ text, ...rest }) => ({ ...rest, text: Buffer.from(text).toString() })),
  );
  expect(decodeHooks(encodeHooks([]))).toEqual([]);
});

test("an id is known for its window, however many there are, and no other is", () => {
  const seen = new SeenIds(1_000, 0);
  for (let n = 0; n < 50_000; n++) seen.add(idOf(n), n / 100);
  for (let n = 0; n < 50_000; n++) if (!seen.has(idOf(n))) expect.fail(`${n} is forgotten`);
  for (let n = 50_000; n < 100_000; n++) if (seen.has(idOf(n))) expect.fail(`${n} was never there`);
});

test("an id is forgotten after twice its window", () => {
  const seen = new SeenIds(1_000, 0);
  seen.add(idOf(1), 0);
  seen.add(idOf(2), 999);
  seen.add(idOf(3), 1_500);
  expect([1, 2, 3].map((n) => seen.has(idOf(n)))).toEqual([true, true, true]);
  seen.add(idOf(4), 2_600);
  expect([1, 2, 3, 4].map((n) => seen.has(idOf(n)))).toEqual([false, false, true, true]);
  seen.add(idOf(5), 9_000);
  expect([3, 4, 5].map((n) => seen.has(idOf(n)))).toEqual([false, false, true]);
});
