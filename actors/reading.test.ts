import { expect, test } from "vitest";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { Reading } from "./reading.ts";

test("a source whose reading does not end well is closed all the same", async () => {
  let closed = 0;
  const source = {
    read: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: () => Promise.reject(new Error("the cursor could not be closed")),
      }),
    }),
    close: async () => {
      closed++;
    },
  };
  const reading = new Reading(source, null, new AbortController());
  await expect(reading.close(new VirtualClock())).rejects.toThrow("the cursor could not be closed");
  expect(closed).toBe(1);
});
