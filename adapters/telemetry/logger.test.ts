import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SluiceError } from "../../runtime/errors/index.ts";
import { BoundedFile } from "./bounded-file.ts";
import { errorFields, startLogger } from "./logger.ts";

function tempFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice log "));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return path.join(folder, "new", "sluice.log");
}

test("a line is in the file, which its owner alone reads, as soon as it is written", () => {
  const file = tempFile();
  const printed: string[] = [];
  const { logger, close } = startLogger({ file, level: "info", also: (line) => printed.push(line) });
  onTestFinished(close);
  logger.info({ integration: "shop" }, "run started");
  logger.debug("not at this level");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    integration: "shop",
    msg: "run started",
  });
  expect(printed.join("")).toBe(readFileSync(file, "utf8"));
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a line is redacted as a whole, and is JSON all the same", () => {
  const file = tempFile();
  const redact = (text: string) =>
    text.replaceAll('tok"en', "***").replaceAll('tok\\"en', "***").replaceAll("4711", "***");
  const { logger, close } = startLogger({ file, level: "info", redact });
  onTestFinished(close);
  logger.info({ deep: [{ said: 'no tok"en' }], pin: 4711, count: 2 }, 'with tok"en');
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    deep: [{ said: "no ***" }],
    pin: "***",
    count: 2,
    msg: "with ***",
  });
});

test("a full file makes way for a new one, and one before it is kept, also from an earlier life", () => {
  const path = tempFile();
  let file = new BoundedFile(path, 100);
  for (let i = 0; i < 5; i++) file.write(`${"a".repeat(39)}\n`);
  expect([statSync(`${path}.1`).size, statSync(path).size]).toEqual([80, 40]);
  file.close();
  file = new BoundedFile(path, 100);
  file.write(`${"b".repeat(79)}\n`);
  file.close();
  expect([statSync(`${path}.1`).size, statSync(path).size]).toEqual([40, 80]);
});

test("a log that cannot be written stops nobody", () => {
  const { logger } = startLogger({ file: "/dev/null/no folder/sluice.log", level: "info" });
  expect(() => logger.info("lost")).not.toThrow();
});

test("an error's message is shown where it is ours or the system's, and not where a library may quote data", () => {
  expect(errorFields(new SluiceError("NOT_FOUND", "no such table"))).toMatchObject({
    code: "NOT_FOUND",
    message: "no such table",
  });
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
    code: "ECONNREFUSED",
    syscall: "connect",
  });
  expect(errorFields(refused)).toMatchObject({ message: refused.message });
  const quoting = (() => {
    try {
      return JSON.parse('{"secret payload"');
    } catch (error) {
      return error;
    }
  })();
  const fields = errorFields(quoting);
  expect(fields).toMatchObject({ type: "SyntaxError", stack: expect.stringContaining("logger.test.ts") });
  expect(JSON.stringify(fields)).not.toContain("secret payload");
  expect(errorFields("secret payload")).toEqual({ type: "string" });
});
