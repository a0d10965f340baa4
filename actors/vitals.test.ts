import { expect, test } from "vitest";
import { Vitals } from "./vitals.ts";

test("an integration that never ran shows each of its consumers, without a freshness", () => {
  const gauges = new Vitals("shop", ["a", "b"]).gauges(0, 0);
  expect(gauges.consumers.map(({ destination }) => destination)).toEqual([undefined, "a", "b"]);
  for (const consumer of gauges.consumers) {
    expect(consumer).toMatchObject({ lag: 0, circuitOpen: false, freshnessSeconds: null });
    expect(consumer.credit).toBeGreaterThan(0);
  }
});

test("what was up to date before this node had it is as old as it is", () => {
  const vitals = new Vitals("shop", ["a", "b"], 1_000);
  expect(vitals.gauges(4_000, null).consumers.map(({ freshnessSeconds }) => freshnessSeconds)).toEqual([null, 3, 3]);
});

test("what is known of a destination outlives a new run, and a change of the others", () => {
  const vitals = new Vitals("shop", ["a", "b"]);
  vitals.consumer("b").freshAt = 1_000;
  vitals.consumer("b").waiting = true;
  vitals.plan(["b"]);
  expect(vitals.gauges(4_000, null).consumers).toMatchObject([
    { destination: "b", freshnessSeconds: 3, circuitOpen: true },
  ]);
  vitals.idle();
  expect(vitals.gauges(4_000, null).consumers).toMatchObject([{ circuitOpen: false }]);
});

test("a lag that is counted a moment late is never below zero", () => {
  const vitals = new Vitals("shop", ["a"]);
  vitals.consumer("a").lag = () => -2;
  expect(vitals.gauges(0, null).consumers[0]?.lag).toBe(0);
});

test("a circuit outlives the run, and is made anew where its settings change", () => {
  const options = { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 };
  const vitals = new Vitals("shop", ["a"]);
  const circuit = vitals.circuit("a", options);
  const outcome = { records: 1, failed: 1, broken: true, reason: "revoked", retryAfterMs: undefined };
  circuit.end(circuit.begin(1_000) as NonNullable<ReturnType<typeof circuit.begin>>, outcome, 1_000);
  vitals.idle();
  vitals.plan(["a"]);
  expect(vitals.circuit("a", { ...options })).toBe(circuit);
  expect(vitals.gauges(5_000, null).consumers).toMatchObject([{ circuitOpen: true, circuitOpenSeconds: 4 }]);
  expect(vitals.circuit("a", { ...options, openForMs: 1_000 }).open).toBeUndefined();
  expect(vitals.gauges(5_000, null).consumers).toMatchObject([{ circuitOpen: false, circuitOpenSeconds: 0 }]);
});

test("a circuit that is open holds nothing up while no run is going on, and is known to the next one", () => {
  const options = { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 };
  const vitals = new Vitals("shop", ["a"]);
  const shown: string[][] = [];
  vitals.circuitsChanged = () => shown.push(Object.keys(vitals.shownCircuits));
  const circuit = vitals.circuit("a", options);
  const outcome = { records: 1, failed: 1, broken: true, reason: "revoked", retryAfterMs: undefined };
  circuit.end(circuit.begin(1_000) as NonNullable<ReturnType<typeof circuit.begin>>, outcome, 1_000);
  expect(shown.at(-1)).toEqual(["a"]);
  vitals.idle();
  expect(shown.at(-1)).toEqual([]);
  expect(Object.keys(vitals.openCircuits)).toEqual(["a"]);
  expect(vitals.gauges(900_000, null).consumers).toMatchObject([{ circuitOpen: false, circuitOpenSeconds: 0 }]);
  vitals.plan(["a"]);
  expect(shown.at(-1)).toEqual(["a"]);
});

test("the circuit of a step's look-ups is shown beside those of destinations, while the run goes on", () => {
  const options = { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 };
  // A destination may have the step's name.
  const vitals = new Vitals("shop", ["customer"]);
  let changes = 0;
  vitals.circuitsChanged = () => changes++;
  const circuit = vitals.lookUp("customer", options);
  expect(vitals.openCircuits).toEqual({});
  expect(vitals.gauges(0, null).lookUps).toEqual([{ step: "customer", circuitOpen: false, circuitOpenSeconds: 0 }]);
  const outcome = { records: 1, failed: 1, broken: true, reason: "revoked", retryAfterMs: undefined };
  const before = changes;
  circuit.end(circuit.begin(1_000) as NonNullable<ReturnType<typeof circuit.begin>>, outcome, 1_000);
  expect(changes).toBeGreaterThan(before);
  expect(vitals.openCircuits).toEqual({
    "step customer": { since: 1_000, until: 31_000, reason: "revoked", failureRatio: 1 },
  });
  expect(vitals.gauges(5_000, null)).toMatchObject({
    consumers: [{ destination: "customer", circuitOpen: false }],
    lookUps: [{ step: "customer", circuitOpen: true, circuitOpenSeconds: 4 }],
  });
  // Opened anew, as after a crash, it is closed; without a run there is none.
  vitals.lookUp("customer", options);
  expect(vitals.openCircuits).toEqual({});
  const open = changes;
  vitals.idle();
  expect(changes).toBeGreaterThan(open);
  expect(vitals.gauges(5_000, null).lookUps).toEqual([]);
});
