import { expect, test } from "vitest";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import type { NodeView } from "./node.ts";
import { gaugesReader } from "./node-gauges.ts";
import { Vitals } from "./vitals.ts";

const view: NodeView = {
  vitals: new Map(),
  health: new Map(),
  owned: new Set(),
  names: new Set(["shop"]),
  removed: [],
};
const space = { freeBytes: 7 };

test("dead letters are counted every ten seconds at most, and a store that is away holds no scrape up", async () => {
  const clock = new VirtualClock();
  let asked = 0;
  let answer: (depths: Map<string, number>) => void = () => {};
  const store = {
    depths: () => {
      asked++;
      return new Promise<Map<string, number>>((resolve) => {
        answer = resolve;
      });
    },
  };
  const vitals = new Map([["id", new Vitals("shop", ["a"])]]);
  const read = gaugesReader({ view: { ...view, vitals }, store, readiness: async () => ({}), space, clock });
  const depth = async () => (await read()).integrations[0]?.deadLetters;

  const first = depth();
  await clock.advance(250);
  expect(await first).toBeNull();
  answer(new Map([["id", 7]]));
  expect(await depth()).toBe(7);
  await clock.advance(9_000);
  expect(await depth()).toBe(7);
  expect(asked).toBe(1);
  await clock.advance(1_000);
  const later = depth();
  answer(new Map());
  expect(await later).toBe(0);
  expect(asked).toBe(2);
});

test("the node's own parts are asked at each scrape, and one that does not answer holds it up for a moment only", async () => {
  const clock = new VirtualClock();
  const store = { depths: async () => new Map<string, number>() };
  let answers: Promise<Record<string, string | null>> = Promise.resolve({ nats: null, postgres: "is away" });
  const read = gaugesReader({ view, store, readiness: () => answers, space, clock });
  expect(await read()).toEqual({
    integrations: [],
    names: new Set(["shop"]),
    health: { ok: 0, waiting: 0, degraded: 0, stopped: 0 },
    ready: { nats: true, postgres: false },
    diskFreeBytes: 7,
  });
  answers = new Promise(() => {});
  const later = read();
  await clock.advance(250);
  expect((await later).ready).toEqual({ nats: true, postgres: false });
});
