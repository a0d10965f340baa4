import { expect, test } from "vitest";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { within } from "./time-limit.ts";

function limited(work: (signal: AbortSignal, clock: VirtualClock) => Promise<string>) {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const results: unknown[] = [];
  within(60_000, { clock, signal: controller.signal }, (signal) => work(signal, clock)).then(
    (value) => results.push(value),
    (error) => results.push(error),
  );
  return { clock, controller, results };
}

const ends = (signal: AbortSignal) =>
  new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("what answers in time is answered, and leaves no timer behind", async () => {
  const { clock, results } = limited(async (_signal, clock) => {
    await clock.sleep(59_999);
    return "done";
  });
  await clock.advance(59_999);
  expect(results).toEqual(["done"]);
  await clock.advance(120_000);
  expect(results).toEqual(["done"]);
});

test("what takes longer is aborted, and is a TIMEOUT", async () => {
  const { clock, results } = limited(ends);
  await clock.advance(59_999);
  expect(results).toEqual([]);
  await clock.advance(1);
  expect(results).toMatchObject([{ code: "TIMEOUT", message: "no answer within 60 s" }]);
});

test("what does not heed its signal is left behind a second later, and its late answer ignored", async () => {
  const { clock, results } = limited(async (_signal, clock) => {
    await clock.sleep(90_000);
    return "late";
  });
  await clock.advance(60_999);
  expect(results).toEqual([]);
  await clock.advance(1);
  expect(results).toMatchObject([{ code: "TIMEOUT" }]);
  await clock.advance(60_000);
  expect(results).toHaveLength(1);
});

test("an answer right after the limit counts: what is done is not done again", async () => {
  const { clock, results } = limited(async (_signal, clock) => {
    await clock.sleep(60_500);
    return "done";
  });
  await clock.advance(61_000);
  expect(results).toEqual(["done"]);
});

test.each([
  ["heeds", ends, 0],
  ["does not heed", () => new Promise<string>(() => {}), 1_000],
])("a stop ends it with the stop's reason, where it %s its signal", async (_what, work, ms) => {
  const { clock, controller, results } = limited(work);
  controller.abort(new Error("stopped"));
  await clock.advance(ms);
  expect(results).toMatchObject([{ message: "stopped" }]);
});

test("what has any time is ended by a stop alone", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const ended = within(undefined, { clock, signal: controller.signal }, ends).catch((error: unknown) => error);
  await clock.advance(10 * 86_400_000);
  controller.abort(new Error("stopped"));
  expect(await ended).toMatchObject({ message: "stopped" });
});
