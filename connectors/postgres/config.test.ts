import { expect, test } from "vitest";
import { addressOf } from "./config.ts";

test("a url's parts are decoded", () => {
  expect(addressOf({ url: "postgres://a%40b:p%2F%25@[::1]:6543/my%20db?sslmode=require" })).toMatchObject({
    ...{ host: "::1", port: 6543, database: "my db", user: "a@b", password: "p/%" },
    ssl: { rejectUnauthorized: false },
  });
  expect(addressOf({ url: "postgres://me@h" })).toMatchObject({ host: "h", port: 5432, database: "me" });
});

test.each([
  "no url",
  "postgres://u:secret%@h/db",
  "postgres://u:secret@h/db%",
  "postgres://u:secret@h/db?application_name=x",
])("%s is refused by the name of its setting, and not quoted", (url) => {
  const refusal = { code: "VALIDATION_ERROR", fault: "destination", path: "config.url" };
  expect(() => addressOf({ url })).toThrow(expect.objectContaining(refusal));
  expect(() => addressOf({ url })).not.toThrow(/secret/);
});
