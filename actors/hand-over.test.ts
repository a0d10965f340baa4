import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { untilHandedOver } from "./hand-over.ts";

type Answers = readonly (Json | undefined)[];

/** The others answer so each time they are asked, the last way for ever. */
function begun(...answers: readonly Answers[]) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const asked: { subject: string; id: Json; at: number }[] = [];
  const start = clock.now();
  const ask = async (subject: string, id: Json) => {
    asked.push({ subject, id, at: clock.now() - start });
    return answers[Math.min(asked.length, answers.length) - 1] as Answers;
  };
  let state = "waiting";
  untilHandedOver({ ask }, "an-id", clock, stop.signal).then(
    () => {
      state = "taken over";
    },
    (error: Error) => {
      state = error.message;
    },
  );
  return { clock, stop, asked, state: () => state };
}

test("what nobody has in hand is taken over at once, and so it is where there is nobody else", async () => {
  for (const answers of [[true, true], []]) {
    const { clock, asked, state } = begun(answers);
    await clock.advance(0);
    expect(state()).toBe("taken over");
    expect(asked).toEqual([{ subject: "hand-over", id: "an-id", at: 0 }]);
  }
});

test("a node that has something in hand, or does not answer, is asked again until it has not or is gone", async () => {
  const { clock, asked, state } = begun([true, false], [undefined, true], [true]);
  await clock.advance(60);
  expect(state()).toBe("waiting");
  await clock.advance(60);
  expect(state()).toBe("taken over");
  expect(asked).toHaveLength(3);
});

test("a node that never lets go is not waited for longer than a stop may take", async () => {
  const { clock, asked, state } = begun([false]);
  await clock.advance(5_900);
  expect(state()).toBe("waiting");
  await clock.advance(200);
  expect(state()).toBe("taken over");
  expect(asked.length).toBeGreaterThan(50);
});

test("a stop ends the waiting", async () => {
  const { clock, stop, state } = begun([false]);
  await clock.advance(100);
  stop.abort(new Error("the node stops"));
  await clock.advance(100);
  expect(state()).toBe("the node stops");
});
