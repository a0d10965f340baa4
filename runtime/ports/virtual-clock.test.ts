import { expect, it } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

it("fires timers in order of time, each at its own instant, and lets promises settle between them", async () => {
  const clock = new VirtualClock(1000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b ${clock.now()}`));
  clock.after(10, async () => {
    await null;
    await clock.sleep(5);
    seen.push(`a ${clock.now()}`);
  });
  clock.after(31, () => seen.push("too late"));
  const cancel = clock.after(15, () => seen.push("cancelled"));
  cancel();
  await clock.advance(30);
  expect(seen).toEqual(["a 1015", "b 1020"]);
  expect(clock.now()).toBe(1030);
  expect(clock.nextAt).toBe(1031);
});

it("lets a sleeper leave by its signal, and keeps no timer for it", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
  await expect(clock.sleep(1, controller.signal)).rejects.toThrow("enough");
  expect(clock.nextAt).toBeNull();
});

it("draws the same chances for the same seed", () => {
  const draw = (seed: number) => {
    const clock = new VirtualClock(0, seed);
    return Array.from({ length: 100 }, () => clock.random());
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(1).every((chance) => chance >= 0 && chance < 1)).toBe(true);
});
