import { expect, test } from "vitest";
import { Redactor } from "./redactor.ts";

const secret = `pa"ss/wörd+1 &x`;

function knowing(...secrets: string[]): Redactor {
  const redactor = new Redactor();
  for (const each of secrets) redactor.add(each);
  return redactor;
}

test.each([
  ["as it stands", secret],
  ["in JSON", JSON.stringify(secret)],
  ["in JSON in JSON", JSON.stringify(JSON.stringify({ secret }))],
  ["percent-encoded", encodeURIComponent(secret)],
  ["in a form", new URLSearchParams({ secret }).toString()],
  ["in hex", Buffer.from(secret).toString("hex")],
  ["in base64", Buffer.from(secret).toString("base64")],
  ["in base64 after a user's name", Buffer.from(`user:${secret}`).toString("base64")],
  ["in base64 after another one", Buffer.from(`users:${secret}\n`).toString("base64")],
  ["in base64url", Buffer.from(`me:${secret}`).toString("base64url")],
])("a secret is taken out %s", (_, text) => {
  const clean = knowing(secret).redact(`before ${text} after`);
  expect(clean).toContain("***");
  expect(clean).toMatch(/^before .* after$/);
  expect(clean).not.toContain("rd+1");
  expect(clean).not.toContain(Buffer.from(secret).toString("base64").slice(4, 16));
});

test("of a URL its password is a secret by itself, of a key each of its lines", () => {
  const line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
  const redactor = knowing("postgres://etl:p%40ssword@db/shop?sslpassword=other-secret", `-----BEGIN KEY\n${line}\nxx`);
  expect(redactor.redact("no password p@ssword for etl")).toBe("no password *** for etl");
  expect(redactor.redact(`bad line: ${line}; other-secret`)).toBe("bad line: ***; ***");
});

test("the longest goes first, and what is short is no secret", () => {
  expect(knowing("secret", "secret-longer", "abc").redact("secret-longer secret abc")).toBe("*** *** abc");
});

test("what another one knows is taken out as well, save for what is too short for it", () => {
  const others = new Redactor({ shortest: 6 });
  for (const each of ["short", "longer"]) others.add(each);
  const redactor = new Redactor({ others });
  redactor.add("own");
  redactor.add("mine");
  expect(redactor.redact("own mine short longer")).toBe("own *** short ***");
});

test("an error keeps its class and loses the secret, wherever it says it", () => {
  const cause = Object.assign(new TypeError("inner hidden-value"), { detail: "Key (hidden-value)" });
  const error = Object.assign(new RangeError("outer hidden-value", { cause }), {
    errors: [{ path: "a", message: "hidden-value is wrong" }],
  });
  const same = knowing("hidden-value").redactError(error);
  expect(same).toBe(error);
  expect(same).toBeInstanceOf(RangeError);
  expect([same.message, same.stack, same.cause, cause.detail, JSON.stringify(error.errors)].join()).not.toContain(
    "hidden-value",
  );
  expect(same.message).toBe("outer ***");
});

test("a thousand secrets cost a message less than a millisecond or two", () => {
  const redactor = new Redactor();
  for (let i = 0; i < 1000; i++) redactor.add(`secret number ${i} of many`);
  redactor.redact("once");
  const before = process.cpuUsage();
  for (let i = 0; i < 100; i++) redactor.redact("the connection to crm.example.com was refused (ECONNREFUSED)");
  const { user } = process.cpuUsage(before);
  expect(user / 1000 / 100).toBeLessThan(10);
});

test("a media type is no secret, whatever a header of that value is kept with", () => {
  const redactor = knowing("application/json", "text/csv; charset=utf-8", "applications/json");
  expect(redactor.redact("it sent application/json, not text/csv; charset=utf-8")).toBe(
    "it sent application/json, not text/csv; charset=utf-8",
  );
  expect(redactor.redact("applications/json")).toBe("***");
});

test.each([
  ["a scheme before it", "Bearer abcdef123456secret", "no such token abcdef123456secret"],
  ["Basic before it", `Basic ${Buffer.from("u:pa55word").toString("base64")}`, "the password pa55word is wrong"],
  ["a name before it", "session=abcdef123456; theme=dark", "no session abcdef123456"],
  ["what a media type may not have behind it", "text/plain; s3cr3tvalue", "not acceptable: text/plain; s3cr3tvalue"],
])("a secret with %s is known by itself", (_, secret, text) => {
  const redactor = new Redactor();
  redactor.add(secret);
  expect(redactor.redact(text)).toContain("***");
  expect(redactor.redact(text)).not.toMatch(/abcdef|pa55|s3cr3t/);
});

test("what a header such as Accept has is no secret", () => {
  const redactor = new Redactor();
  for (const header of ["application/json; charset=utf-8", "text/plain; q=0.5"]) redactor.add(header);
  expect(redactor.redact("application/json; charset=utf-8, text/plain; q=0.5")).not.toContain("***");
});
