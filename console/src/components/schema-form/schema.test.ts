// biome-ignore-all lint/suspicious/noThenProperty: a keyword of JSON Schema
import { expect, test } from "vitest";
import {
  isReference,
  kindOf,
  labelOf,
  membersOf,
  pathOf,
  pruned,
  type Schema,
  variantsOf,
  withoutSecrets,
} from "./schema.ts";

const auth: Schema = {
  type: "object",
  required: ["type"],
  properties: {
    type: { enum: ["none", "basic", "bearer"] },
    username: { type: "string" },
    password: { type: "string", writeOnly: true },
    token: { type: "string", writeOnly: true },
  },
  allOf: [
    {
      if: { required: ["type"], properties: { type: { const: "basic" } } },
      then: { required: ["username", "password"], properties: { token: false } },
    },
    {
      if: { required: ["type"], properties: { type: { const: "bearer" } } },
      then: { required: ["token"], properties: { username: false, password: false } },
    },
    {
      if: { required: ["type"], properties: { type: { const: "none" } } },
      then: { properties: { username: false, password: false, token: false } },
    },
  ],
};
const server: Schema = {
  type: "object",
  properties: {
    url: { type: "string", writeOnly: true },
    host: { type: "string" },
    database: { type: "string" },
    auth,
    tls: { type: ["boolean", "object"], properties: { ca: { type: "string" } } },
    headers: { type: "object", additionalProperties: { type: "string", writeOnly: true } },
  },
  if: { required: ["url"] },
  then: { properties: { host: false, database: false } },
  else: { required: ["database"] },
};
const names = (schema: Schema, value: Record<string, string>) =>
  membersOf(schema, value).map(({ name, isRequired }) => (isRequired ? `${name}!` : name));

test("a form asks for what the values given so far ask for, and for nothing that they refuse", () => {
  expect(names(server, {})).toEqual(["url", "host", "database!", "auth", "tls", "headers"]);
  expect(names(server, { url: "postgres://" })).toEqual(["url", "auth", "tls", "headers"]);
  expect(names(auth, {})).toEqual(["type!"]);
  expect(names(auth, { type: "basic" })).toEqual(["type!", "username!", "password!"]);
  expect(names(auth, { type: "none" })).toEqual(["type!"]);
});

test("what was put in for another choice is not sent, nor an object that nothing is in", () => {
  expect(pruned(server, { url: "u", host: "h", auth: {}, other: {} })).toEqual({ url: "u", other: {} });
  expect(pruned(server, { auth: { type: "bearer", username: "ada", token: "t" } })).toEqual({
    auth: { type: "bearer", token: "t" },
  });
  expect(pruned(server, { tls: { ca: "PEM" }, headers: {} })).toEqual({ tls: { ca: "PEM" }, headers: {} });
});

test("secrets are not kept, whatever holds them, and references to secrets are", () => {
  const config = {
    url: "postgres://ada:secret@db/x",
    host: "db",
    auth: { type: "basic", username: "ada", password: "${env:SLUICE_SECRET_X}" },
    headers: { "x-key": "secret", "x-other": "${vault:sluice/shop#key}" },
  };
  expect(withoutSecrets(server, config)).toEqual({
    host: "db",
    auth: { type: "basic", username: "ada", password: "${env:SLUICE_SECRET_X}" },
    headers: { "x-other": "${vault:sluice/shop#key}" },
  });
  const secrets = withoutSecrets(server, { url: "u", headers: { a: "b" } }, "***");
  expect(secrets).toEqual({ url: "***", headers: { a: "***" } });
  expect(["${env:A}", "a ${env:A}", "${env:A}${file:b}", "$${env:A}", "${other:A}"].map(isReference)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

test.each<[Schema, string]>([
  [{ type: "string" }, "text"],
  [{ type: ["string", "null"] }, "text"],
  [{ type: "string", writeOnly: true }, "secret"],
  [{ type: "integer" }, "number"],
  [{ type: "boolean" }, "boolean"],
  [{ enum: ["a", 1] }, "choice"],
  [{ type: "array", items: { type: "string" } }, "lines"],
  [{ type: "array", items: { type: "object" } }, "json"],
  [{ type: "object", properties: {} }, "object"],
  [{ type: "object", additionalProperties: { type: "string" } }, "map"],
  [{ type: "object" }, "json"],
  [{ type: ["string", "number", "boolean"] }, "text"],
  [{ type: ["boolean", "object"], properties: {} }, "variants"],
  [{ anyOf: [{ type: "string" }, { type: "integer" }] }, "variants"],
  [{}, "json"],
  [true, "json"],
])("%j is put in as %s", (schema, kind) => expect(kindOf(schema)).toBe(kind));

test("shapes that a value may have are told by their types, with the description of all", () => {
  const shapes = variantsOf({ type: ["boolean", "object"], description: "TLS", properties: { ca: {} } });
  expect(shapes.map(({ label }) => label)).toEqual(["yes or no", "with settings"]);
  expect(shapes.map(({ schema }) => kindOf(schema))).toEqual(["boolean", "object"]);
});

test("names are shown as words, and paths as the API's errors have them", () => {
  expect(["base_url", "create_table", "id-header", "tls"].map(labelOf)).toEqual([
    "Base URL",
    "Create table",
    "ID header",
    "TLS",
  ]);
  expect([pathOf("", "host"), pathOf("streams", "odd name"), pathOf("a", "b"), pathOf("brokers", 0)]).toEqual([
    "host",
    'streams["odd name"]',
    "a.b",
    "brokers[0]",
  ]);
});
