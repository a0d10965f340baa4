import { expect, test } from "vitest";
import { LookupCache } from "./lookup-cache.ts";

test("an answer is kept for its time, and null is an answer", () => {
  const cache = new LookupCache({ ttlMs: 100, maxEntries: 10 });
  cache.set("a", { name: "Ada" }, 0);
  cache.set("b", null, 50);
  expect(cache.get("a", 99)).toEqual({ name: "Ada" });
  expect(cache.get("a", 100)).toBeUndefined();
  expect(cache.get("b", 149)).toBeNull();
  expect(cache.get("b", 150)).toBeUndefined();
  expect(cache.get("never", 0)).toBeUndefined();
});

test("beyond its entries what was not used for the longest goes first", () => {
  const cache = new LookupCache({ ttlMs: 100, maxEntries: 3 });
  for (const key of ["a", "b", "c"]) cache.set(key, key, 0);
  cache.get("a", 1);
  cache.set("b", "b2", 2);
  cache.set("d", "d", 3);
  expect(["a", "b", "c", "d"].map((key) => cache.get(key, 4))).toEqual(["a", "b2", undefined, "d"]);
});

test("beyond its bytes what was not used for the longest goes first, and what is larger than all of them is not kept", () => {
  const cache = new LookupCache({ ttlMs: 100, maxEntries: 1000, maxBytes: 1000 });
  for (const key of ["a", "b", "c"]) cache.set(key, "x".repeat(300), 0);
  cache.set("d", "x".repeat(300), 0);
  expect(["a", "b", "c", "d"].map((key) => cache.get(key, 1) !== undefined)).toEqual([false, true, true, true]);
  cache.set("d", "x".repeat(2000), 2);
  expect(["b", "c", "d"].map((key) => cache.get(key, 3) !== undefined)).toEqual([true, true, false]);
  for (let i = 0; i < 100; i++) cache.set("b", "x".repeat(300), 4);
  expect(cache.get("c", 5)).toBeDefined();
});

test("with no time nothing is kept", () => {
  const cache = new LookupCache({ ttlMs: 0, maxEntries: 3 });
  cache.set("a", 1, 0);
  expect(cache.get("a", 0)).toBeUndefined();
});
