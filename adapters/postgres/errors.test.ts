import pg from "pg";
import { expect, test } from "vitest";
import { SluiceError } from "../../runtime/errors/index.ts";
import { translate, translateAtStart } from "./errors.ts";

function databaseError(code: string, message: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, message.length, "error"), { code });
}

const refused = () => databaseError("28P01", 'password authentication failed for user "sluice_app"');

test.each([
  ["a refused user", refused(), "the database is away"],
  ["a refused host", databaseError("28000", "no pg_hba.conf entry for host 10.1.2.3"), "the database is away"],
  ["a connection", new Error("connect ECONNREFUSED 10.1.2.3:5432"), "the database is away"],
  ["a shutdown", databaseError("57P01", "terminating connection"), "the database is away"],
])("while a node runs, %s is no failure of the caller, who is not told more", (_, cause, message) => {
  expect(translate(cause)).toMatchObject({ code: "UNAVAILABLE", message, cause });
});

test("a statement that took too long says so", () => {
  const cause = databaseError("57014", "canceling statement due to statement timeout");
  expect(translate(cause)).toMatchObject({ code: "TIMEOUT", message: "the database took too long", cause });
});

test("whoever starts a node is told why", () => {
  expect(translateAtStart(refused())).toMatchObject({
    code: "UNAUTHORIZED",
    message: 'the database refuses the user: password authentication failed for user "sluice_app"',
  });
});

test("what is ours, or of a value, stays as it is", () => {
  for (const error of [new SluiceError("CONFLICT", "x"), new TypeError("y"), databaseError("22003", "out of range")])
    expect(translate(error)).toBe(error);
});
