import { expect, test } from "vitest";
import { challengeIn } from "./challenges.ts";

const asked = (body: string, type: string) =>
  challengeIn("slack", { headers: { "content-type": type }, body: Buffer.from(body) });

test("only JSON of the type url_verification is Slack's question: a form that speaks of it is a record", () => {
  expect(asked('{"type":"url_verification","challenge":"c"}', "application/json")).toEqual({ text: "c" });
  expect(asked("command=%2Fx&text=url_verification", "application/x-www-form-urlencoded")).toBeUndefined();
  expect(asked('{"type":"message","text":"url_verification"}', "application/json")).toBeUndefined();
  expect(asked('"url_verification"', "application/json")).toBeUndefined();
});
