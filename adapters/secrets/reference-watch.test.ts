import { expect, test } from "vitest";
import { ReferenceWatch } from "./reference-watch.ts";

/** A watch over values that the test sets, at times that it sets. */
function watched() {
  const values = new Map([["file:pw", "one"]]);
  const asked: string[] = [];
  const resolve = async (scheme: string, argument: string) => {
    asked.push(`${scheme}:${argument}`);
    const value = values.get(`${scheme}:${argument}`);
    if (value === undefined) throw new Error("away");
    return value;
  };
  let now = 0;
  const clock = { now: () => now, after: () => () => {}, sleep: async () => {}, random: () => 0 };
  const watch = new ReferenceWatch({ resolve, clock, everyMs: 1000 });
  const later = () => {
    now += 1000;
    return watch.look();
  };
  return { watch, values, asked, later };
}

const reference = { scheme: "file", argument: "pw", value: "one" } as const;

test("a reference that stands for something else is a new generation of its connector, once", async () => {
  const { watch, values, later } = watched();
  watch.opened("db", [reference]);
  await later();
  expect(watch.generation("db")).toBe(0);
  values.set("file:pw", "two");
  await later();
  await later();
  expect([watch.generation("db"), watch.generation("other")]).toEqual([1, 0]);
});

test("what cannot be looked up has not changed, and what is closed is not looked up", async () => {
  const { watch, values, asked, later } = watched();
  const closed = watch.opened("db", [reference]);
  values.clear();
  await later();
  expect(watch.generation("db")).toBe(0);
  closed();
  await later();
  expect(asked).toEqual(["file:pw"]);
});

test("references are looked up no more often than they should, each once", async () => {
  const { watch, asked, later } = watched();
  watch.opened("a", [reference]);
  watch.opened("b", [reference, { scheme: "env", argument: "X", value: "x" }]);
  await watch.look();
  expect(asked).toEqual([]);
  await Promise.all([later(), watch.look()]);
  expect(asked).toEqual(["file:pw", "env:X"]);
});
