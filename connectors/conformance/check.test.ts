import { expect, test } from "vitest";
import { demandSame, Flaw, runChecks, type Subject } from "./check.ts";

test("of a secret of the fixture nothing stands in a report, not even where what was found is cut", async () => {
  const password = "planted-password-of-some-length";
  const config = { type: "object", properties: { password: { type: "string", writeOnly: true } } };
  const subject = { type: { config }, fixture: { config: { password }, badConfigs: [] } } as unknown as Subject;
  const check = (id: string, text: string) => ({ id, title: id, run: async () => demandSame(text, "", "it") as never });
  const results = await runChecks(
    subject,
    [
      check("cut", `${"x".repeat(145)}${password}`),
      check("encoded", `${"x".repeat(145)}${Buffer.from(password).toString("base64")}`),
      {
        id: "whole",
        title: "whole",
        run: () => {
          throw new Flaw(`it said ${password}`);
        },
      },
    ],
    { limitMs: 10_000 },
  );
  const shown = `it: "${"x".repeat(145)}***", and should be ""`;
  expect(results.map(({ reason }) => reason)).toEqual([shown, shown, "it said ***"]);
});
