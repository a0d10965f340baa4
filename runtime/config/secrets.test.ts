import { expect, test } from "vitest";
import type { JsonSchema } from "../../connectors/sdk/index.ts";
import { joinSecrets, splitSecrets } from "./secrets.ts";

const secret = { type: "string", writeOnly: true };
const schema: JsonSchema = {
  type: "object",
  properties: {
    host: { type: "string" },
    password: secret,
    auth: {
      oneOf: [
        { type: "object", properties: { token: secret } },
        { type: "object", properties: { user: {} } },
      ],
    },
    keys: { type: "array", items: secret },
    headers: { type: "object", additionalProperties: secret },
  },
};
const config = {
  host: "h",
  password: "p1",
  auth: { token: "t1", user: "u" },
  keys: ["k1", "k2"],
  headers: { "x-key": "h1", "odd key": "h2" },
};

test("every writeOnly value is cut out, wherever the schema has it", () => {
  const { open, secrets } = splitSecrets(schema, config);
  expect(open).toEqual({
    host: "h",
    password: "***",
    auth: { token: "***", user: "u" },
    keys: ["***", "***"],
    headers: { "x-key": "***", "odd key": "***" },
  });
  expect(Object.values(secrets).toSorted()).toEqual(["h1", "h2", "k1", "k2", "p1", "t1"]);
  expect(JSON.stringify(open)).not.toMatch(/p1|t1|k1|k2|h1|h2/);
});

test("what was cut out is put back in its place", () => {
  const { open, secrets } = splitSecrets(schema, config);
  expect(joinSecrets(schema, open, secrets)).toEqual(config);
});

test("a secret that is given anew stands against the stored one", () => {
  const { secrets } = splitSecrets(schema, config);
  expect(joinSecrets(schema, { password: "p2", host: "***" }, secrets)).toEqual({ password: "p2", host: "***" });
});
