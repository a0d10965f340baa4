import { expect, test } from "vitest";
import { firesOf } from "./fires.ts";

test("an expression says when it is due, in its own time zone", async () => {
  const fires = await firesOf("30 6 * * 1", "Asia/Tokyo", 3);
  if ("error" in fires) throw new Error(fires.error);
  // Tokyo is nine hours ahead all year: half past six on Mondays there is Sunday evening in UTC.
  expect(fires.at.map((at) => [at.getUTCDay(), at.toISOString().slice(11, 16)])).toEqual([
    [0, "21:30"],
    [0, "21:30"],
    [0, "21:30"],
  ]);
});

test.each([
  ["61 * * * *", "UTC"],
  ["", "UTC"],
  ["0 0 30 2 *", "UTC"],
  ["* * * * *", "Mars/Olympus"],
])("%j in %s is refused with the reason", async (expression, timezone) => {
  expect(await firesOf(expression, timezone)).toEqual({ error: expect.stringMatching(/\S/) });
});
