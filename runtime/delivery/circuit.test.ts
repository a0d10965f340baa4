import fc from "fast-check";
import { expect, test } from "vitest";
import { type Call, type CallOutcome, Circuit } from "./circuit.ts";

const options = { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 };
const fine: CallOutcome = { records: 1, failed: 0, broken: false, reason: "", retryAfterMs: undefined };
const failed: CallOutcome = { ...fine, failed: 1, reason: "busy" };
const broken: CallOutcome = { ...failed, broken: true, reason: "revoked" };

/** Makes calls one after another, `everyMs`, and says how many of them began. */
function calling(circuit: Circuit, outcomes: readonly CallOutcome[], from = 0, everyMs = 1): number {
  let begun = 0;
  for (const [i, outcome] of outcomes.entries()) {
    const now = from + i * everyMs;
    const call = circuit.begin(now);
    if (!call) continue;
    begun++;
    circuit.end(call, outcome, now);
  }
  return begun;
}

const of = (n: number, outcome: CallOutcome) => Array<CallOutcome>(n).fill(outcome);

test.each([
  ["nine failures are too few to judge by", of(9, failed), false],
  ["ten failures open it", of(10, failed), true],
  ["half of ten is enough", [...of(5, fine), ...of(5, failed)], true],
  ["less than half is not", [...of(6, fine), ...of(5, failed)], false],
  ["a single fault of the destination opens it at once", [...of(100, fine), broken], true],
  ["what is refused for the record's own fault passes", of(100, fine), false],
  [
    "few records that fail again and again do not outweigh those that pass",
    [{ ...fine, records: 500, failed: 3 }, ...of(20, { ...failed, records: 3, failed: 3 })],
    false,
  ],
])("%s", (_name, outcomes, opens) => {
  const circuit = new Circuit(options);
  calling(circuit, outcomes);
  expect(circuit.open !== undefined).toBe(opens);
});

test("failures further apart than the window never come together", () => {
  const circuit = new Circuit(options);
  expect(calling(circuit, of(100, failed), 0, 7_000)).toBe(100);
});

test("it is open for the time configured, then half open for one call, which closes it", () => {
  const circuit = new Circuit(options);
  calling(circuit, [broken], 1_000);
  expect(circuit.open).toMatchObject({ since: 1_000, until: 31_000, reason: "revoked" });
  expect(circuit.begin(30_999)).toBeUndefined();
  expect(circuit.delay(21_000)).toBe(10_000);
  const trial = circuit.begin(31_000)!;
  expect(circuit.begin(31_000)).toBeUndefined();
  expect(circuit.delay(31_000)).toBe(Number.POSITIVE_INFINITY);
  circuit.end(trial, fine, 31_500);
  expect(circuit.open).toBeUndefined();
  expect(circuit.begin(31_500)).toBeDefined();
});

test("a trial that fails opens it again, since when it first did; what came before is forgotten once it is closed", () => {
  const circuit = new Circuit(options);
  calling(circuit, of(10, failed));
  circuit.end(circuit.begin(30_009)!, { ...failed, reason: "still" }, 30_010);
  expect(circuit.open).toMatchObject({ since: 9, until: 60_010, reason: "still" });
  circuit.end(circuit.begin(60_010)!, fine, 60_010);
  expect(calling(circuit, of(9, failed), 60_010)).toBe(9);
  expect(circuit.open).toBeUndefined();
});

test("a trial that was broken off leaves room for another one", () => {
  const circuit = new Circuit(options);
  calling(circuit, [broken]);
  let changes = 0;
  circuit.onChange(() => changes++);
  circuit.end(circuit.begin(30_000)!, undefined, 30_001);
  expect(changes).toBe(1);
  expect(circuit.begin(30_001)).toBeDefined();
});

test("as many trials as configured must pass", () => {
  const circuit = new Circuit({ ...options, halfOpenRequests: 2 });
  calling(circuit, [broken]);
  const trials = [circuit.begin(30_000)!, circuit.begin(30_000)!];
  expect(circuit.begin(30_000)).toBeUndefined();
  circuit.end(trials[0]!, fine, 30_001);
  expect(circuit.open).toBeDefined();
  expect(circuit.begin(30_001)).toBeUndefined();
  circuit.end(trials[1]!, fine, 30_002);
  expect(circuit.open).toBeUndefined();
});

test("a far side that asks for more patience is given it", () => {
  const circuit = new Circuit(options);
  calling(circuit, [{ ...broken, retryAfterMs: 90_000 }]);
  expect(circuit.open).toMatchObject({ until: 90_000 });
});

test("calls that began before it opened change nothing any more", () => {
  const circuit = new Circuit(options);
  const early = [circuit.begin(0)!, circuit.begin(0)!];
  calling(circuit, [broken], 10);
  circuit.end(early[0]!, broken, 20_000);
  expect(circuit.open).toMatchObject({ until: 30_010 });
  const trial = circuit.begin(30_010)!;
  circuit.end(early[1]!, fine, 30_011);
  expect(circuit.open).toBeDefined();
  circuit.end(trial, fine, 30_012);
  expect(circuit.open).toBeUndefined();
});

test("whatever happens: no call begins while it is open, as many as configured while it is half open, and it never sticks", () => {
  const step = fc.record({
    ms: fc.integer({ min: 0, max: 40_000 }),
    what: fc.constantFrom("begin", "fine", "failed", "broken", "off"),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 3 }), (steps, halfOpenRequests) => {
      const circuit = new Circuit({ ...options, halfOpenRequests });
      const outcomes = { fine, failed, broken, off: undefined };
      const under: Call[] = [];
      let now = 0;
      for (const { ms, what, which } of steps) {
        now += ms;
        if (what !== "begin") {
          const [ended] = under.splice(which % Math.max(1, under.length), 1);
          if (ended) circuit.end(ended, outcomes[what as keyof typeof outcomes], now);
          continue;
        }
        const { open } = circuit;
        const call = circuit.begin(now);
        if (!open) expect(call).toBeDefined();
        else if (now < open.until) expect(call).toBeUndefined();
        if (!call) continue;
        under.push(call);
        const trials = under.filter(({ trial, round }) => trial && round === call.round);
        expect(trials.length).toBeLessThanOrEqual(halfOpenRequests);
      }
      for (const call of under) circuit.end(call, undefined, now);
      // Once the far side is well again, as many calls as configured close it.
      for (let i = 0; i < halfOpenRequests; i++) {
        now += circuit.delay(now);
        expect(now).toBeLessThan(Number.POSITIVE_INFINITY);
        circuit.end(circuit.begin(now)!, fine, now);
      }
      expect(circuit.delay(now)).toBe(0);
    }),
  );
});

test("it opens for no longer where the machine's clock is set back meanwhile", () => {
  const circuit = new Circuit(options);
  const hour = 3_600_000;
  calling(circuit, [broken], hour);
  expect(circuit.delay(hour + 10_000)).toBe(20_000);
  // An hour back: how long it has been open is not known any more.
  expect(circuit.delay(10_000)).toBe(30_000);
  expect(circuit.open?.until).toBe(40_000);
  expect(circuit.delay(40_000)).toBe(0);
  expect(calling(circuit, [fine], 40_000)).toBe(1);
  expect(circuit.open).toBeUndefined();
});
