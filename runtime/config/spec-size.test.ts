import { expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { checkIntegration } from "./check.ts";
import { checkConnector } from "./check-connector.ts";
import { checkPlugin } from "./check-plugin.ts";
import { checkSize } from "./spec-size.ts";

const validator = createValidator();
const said = { path: "", message: "takes more than 1 MB as JSON; that is the limit" };

test("a spec takes a million bytes of JSON, and not one more", () => {
  expect(checkSize("ä".repeat(499_999))).toEqual([]);
  expect(checkSize(`${"ä".repeat(499_999)}a`)).toEqual([said]);
});

test("of one that takes more nothing else is said, and no time spent on it", () => {
  const large = { name: "large", steps: "x".repeat(1_000_000) };
  const context = { validator, connectors: new Map(), allConnectorsKnown: true, checkCron: () => undefined };
  expect(checkIntegration(large, context)).toEqual({ errors: [said], warnings: [] });
  expect(checkConnector(large, { validator, types: [] })).toEqual([said]);
  expect(checkPlugin(large, { validator })).toEqual([said]);
});
