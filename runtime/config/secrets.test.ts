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

test("what a schema says by reference, pattern or position is as secret", () => {
  const secret = { type: "string", writeOnly: true } as const;
  const referring = {
    $defs: { Auth: { properties: { token: secret, next: { $ref: "#/$defs/Auth" } } }, "a/b": secret },
    properties: {
      auth: { $ref: "#/$defs/Auth" },
      slash: { $ref: "#/$defs/a~1b" },
      far: { $ref: "https://else/where" },
    },
    patternProperties: { "^key_": secret },
    prefixItems: [],
    dependentSchemas: { auth: { properties: { pin: secret } } },
  };
  const given = { auth: { token: "s1", next: { token: "s2" } }, slash: "s3", key_a: "s4", pin: "s5", far: "open" };
  const { open, secrets } = splitSecrets(referring, given);
  expect(Object.values(secrets).toSorted()).toEqual(["s1", "s2", "s3", "s4", "s5"]);
  expect(JSON.stringify(open)).not.toMatch(/s\d/);
  expect(joinSecrets(referring, open, secrets)).toEqual(given);
  const positions = { properties: { list: { prefixItems: [{}, secret], items: secret } } };
  expect(splitSecrets(positions, { list: ["a", "b", "c"] }).open).toEqual({ list: ["***", "***", "***"] });
});
