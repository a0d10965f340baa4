import fc from "fast-check";
import { expect, it } from "vitest";
import { Queue } from "./queue.ts";

it("gives out what was put in, in that order, however pushes and shifts mix", () => {
  const bursts = fc.array(fc.tuple(fc.nat(3000), fc.nat(3000)), { maxLength: 8 });
  fc.assert(
    fc.property(bursts, (turns) => {
      const queue = new Queue<number>();
      let pushed = 0;
      let shifted = 0;
      for (const [pushes, shifts] of turns) {
        for (let i = 0; i < pushes; i++) queue.push(pushed++);
        for (let i = 0; i < shifts; i++) {
          const item = queue.shift();
          if (item !== (shifted < pushed ? shifted++ : undefined)) return false;
        }
        if (queue.length !== pushed - shifted) return false;
      }
      return true;
    }),
    { numRuns: 50 },
  );
  expect(new Queue().shift()).toBeUndefined();
});
