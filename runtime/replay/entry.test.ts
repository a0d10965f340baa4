import { expect, it } from "vitest";
import { resolveIntegration } from "../config/index.ts";
import { entryOf, isOf } from "./entry.ts";

const file = (id: string, needs: string[]) => ({ id, connector: "files", stream: id, needs });
const line = resolveIntegration({
  source: { connector: "files", stream: "in" },
  mapping_spec: [{ source: "a", destination: "a" }],
  destinations: [
    { id: "one", connector: "files", stream: "one" },
    { id: "two", connector: "files", stream: "two" },
  ],
});
const step = line.steps[0]!.id;
const forked = resolveIntegration({
  source: { connector: "files", stream: "in" },
  pipeline_spec: {
    steps: [
      { id: "left", type: "map", mapping: [{ source: "a", destination: "a" }], needs: ["source"] },
      { id: "right", type: "map", mapping: [{ source: "a", destination: "a" }], needs: ["source"] },
    ],
  },
  destinations: [file("one", ["left"]), file("two", ["right"])],
});
const letter = {
  step: null as string | null,
  destination: null as string | null,
  position: { base: "in", ordinal: 1 },
  corrected: null as string | null,
  state: "{}" as string | null,
};

it("begins at the head what a step refused, and goes on to all", () => {
  expect(entryOf({ ...letter, step }, null, line)).toEqual({ at: "head", id: "" });
  expect(entryOf({ ...letter, step }, "step", line)).toEqual({ at: "step", id: step });
});

it("takes to its destination alone what that refused", () => {
  expect(entryOf({ ...letter, destination: "two" }, null, line)).toEqual({ at: "destination", id: "two" });
});

it("takes what was corrected through the steps, and still to that destination alone", () => {
  const entry = entryOf({ ...letter, destination: "two", corrected: "{}" }, null, line);
  expect(entry).toEqual({ at: "head", id: "", only: ["two", step] });
});

it("keeps to the branch that failed", () => {
  const entry = entryOf({ ...letter, step: "right" }, null, forked);
  expect(entry).toEqual({ at: "head", id: "", only: ["right", "two"] });
});

it("begins at the head without a state, and where the step is gone", () => {
  expect(entryOf({ ...letter, step, state: null }, "step", line)).toEqual({ at: "head", id: "" });
  expect(entryOf({ ...letter, step: "gone" }, "step", line)).toEqual({ at: "head", id: "" });
});

it("says what cannot be replayed: a destination that is gone, a window's result whose step is", () => {
  expect(entryOf({ ...letter, destination: "gone" }, null, line)).toMatch("no destination gone any more");
  const window = { ...letter, position: { base: "k", ordinal: -1 } };
  expect(entryOf({ ...window, step: "gone" }, null, line)).toMatch("no step gone any more");
  expect(entryOf({ ...window, destination: "one" }, "head", line)).toEqual({
    at: "destination",
    id: "one",
    window: true,
  });
});

it("knows which children are a dead letter's", () => {
  expect(isOf("", "3")).toBe(true);
  expect(isOf("3", "")).toBe(true);
  expect(isOf("3", "3.0")).toBe(true);
  expect(isOf("3.0", "3")).toBe(true);
  expect(isOf("3", "4")).toBe(false);
  expect(isOf("3", "30")).toBe(false);
});
