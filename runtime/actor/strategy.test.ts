import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";
import { type Failure, type FailureHistory, judge, noFailures, oneForOne } from "./strategy.ts";

const failure = (change: Partial<Failure> = {}): Failure => ({
  path: "/a",
  error: new Error("boom"),
  starting: false,
  startedAt: 0,
  now: 0,
  random: () => 0.5,
  ...change,
});

describe("backoffMs", () => {
  it("grows by the multiplier up to the longest wait", () => {
    const backoff = { initialMs: 100, maxMs: 500, multiplier: 2, jitter: 0 };
    expect([1, 2, 3, 4, 5].map((attempt) => backoffMs(backoff, attempt, Math.random))).toEqual([
      100, 200, 400, 500, 500,
    ]);
  });

  it("leaves the share named jitter to chance, on both sides", () => {
    const backoff = { initialMs: 100, maxMs: 500, multiplier: 2, jitter: 0.2 };
    expect(backoffMs(backoff, 1, () => 0)).toBeCloseTo(80);
    expect(backoffMs(backoff, 1, () => 0.5)).toBeCloseTo(100);
    expect(backoffMs(backoff, 1, () => 1)).toBeCloseTo(120);
  });

  it("is finite after any number of tries", () => {
    expect(backoffMs({ initialMs: 100, maxMs: 500, multiplier: 2, jitter: 0 }, 5000, Math.random)).toBe(500);
  });
});

describe("judge", () => {
  it("follows the decider, which sees the error and the path", () => {
    const seen: unknown[] = [];
    const strategy = oneForOne({
      decide(error, path) {
        seen.push(error, path);
        return "resume";
      },
    });
    const given = failure();
    expect(judge(strategy, noFailures, given).directive).toBe("resume");
    expect(seen).toEqual([given.error, "/a"]);
  });

  it("escalates when the decider throws", () => {
    const strategy = oneForOne({
      decide() {
        throw new Error("undecided");
      },
    });
    expect(judge(strategy, noFailures, failure()).directive).toBe("escalate");
  });

  it("restarts an actor that failed before it had started instead of resuming it", () => {
    const strategy = oneForOne({ decide: () => "resume" });
    expect(judge(strategy, noFailures, failure({ starting: true })).directive).toBe("restart");
  });

  it("begins the backoff anew after a healthy time", () => {
    const backoff = { initialMs: 10, maxMs: 1000, multiplier: 2, jitter: 0 };
    const strategy = oneForOne({ backoff, healthyMs: 500, budget: { restarts: 99, withinMs: 1e9 } });
    const first = judge(strategy, noFailures, failure({ startedAt: 0, now: 10 }));
    const second = judge(strategy, first.history, failure({ startedAt: 20, now: 30 }));
    const third = judge(strategy, second.history, failure({ startedAt: 100, now: 600 }));
    expect([first.delayMs, second.delayMs, third.delayMs]).toEqual([10, 20, 10]);
  });

  it.each(["escalate", "stop"] as const)(
    "never grants more restarts within the window than the budget, then: %s",
    (exhausted) => {
      fc.assert(
        fc.property(
          fc.array(fc.nat(50), { maxLength: 100 }),
          fc.nat(5),
          fc.integer({ min: 1, max: 200 }),
          (gaps, restarts, withinMs) => {
            const strategy = oneForOne({ budget: { restarts, withinMs }, exhausted });
            const granted: number[] = [];
            let history: FailureHistory = noFailures;
            let now = 0;
            for (const gap of gaps) {
              now += gap;
              const recent = granted.filter((at) => now - at < withinMs).length;
              const verdict = judge(strategy, history, failure({ now }));
              expect(verdict.directive).toBe(recent < restarts ? "restart" : exhausted);
              if (verdict.directive === "restart") granted.push(now);
              history = verdict.history;
            }
          },
        ),
      );
    },
  );
});
