import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { splitSecrets } from "./secrets.ts";
import { strandedSecrets } from "./stranded-secrets.ts";

const secret = { type: "string", writeOnly: true };
const schema = {
  type: "object",
  properties: {
    base_url: { type: "string" },
    brokers: { type: "array" },
    url: secret,
    token: secret,
    auth: { type: "object", properties: { token_url: {}, tokenUrl: {}, secret } },
    streams: { type: "object" },
  },
};
const config = {
  base_url: "https://a",
  brokers: ["b:1"],
  url: "u://p@a",
  token: "t1",
  auth: { token_url: "https://t", secret: "s1" },
  streams: { hosts: { path: "/hosts" } },
};
const kept = { ...config, url: "***", token: "***", auth: { ...config.auth, secret: "***" } };

function pathsOf(given: JsonObject, before: JsonObject = config): string[] {
  return strandedSecrets(schema, splitSecrets(schema, before), given).map(({ path }) => path);
}

test("*** keeps secrets while no address changes, whatever else does", () => {
  expect(pathsOf(kept)).toEqual([]);
  expect(pathsOf({ ...kept, streams: { hosts: { path: "/other" } }, note: "a.csv" })).toEqual([]);
});

test("an address that is changed, added, left out, of a list, within something or secret itself strands the secrets kept", () => {
  const all = ["url", "token", "auth.secret"];
  expect(pathsOf({ ...kept, base_url: "https://b" })).toEqual(all);
  expect(pathsOf({ ...kept, brokers: ["b:1", "c:1"] })).toEqual(all);
  expect(pathsOf({ ...kept, auth: { ...kept.auth, token_url: "https://u" } })).toEqual(all);
  expect(pathsOf({ ...kept, auth: { ...kept.auth, tokenUrl: "https://u" } })).toEqual(all);
  expect(pathsOf({ ...kept, port: 1 })).toEqual([]);
  for (const name of ["site", "apiBase", "subdomain", "broker_list", "hostnames", "sslmode"])
    expect(pathsOf({ ...kept, [name]: "evil.example" })).toEqual(all);
  for (const value of ["https://evil.example", "evil.example:443", "203.0.113.7", "2001:db8::1"])
    expect(pathsOf({ ...kept, whatever: value })).toEqual(all);
  expect(pathsOf({ ...kept, tls: { verify: false } })).toEqual(all);
  const { base_url: _, ...without } = kept;
  expect(pathsOf(without)).toEqual(all);
  expect(pathsOf({ ...kept, url: "u://other" })).toEqual(["token", "auth.secret"]);
});

test("secrets given anew go anywhere, and so do references", () => {
  const moved = { ...config, base_url: "https://b" };
  expect(pathsOf(moved)).toEqual([]);
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: references.
  const before = { base_url: "https://a", token: "${env:SLUICE_SECRET_T}", url: "${env:SLUICE_SECRET_T}x" };
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: references.
  expect(pathsOf({ base_url: "https://b", token: "***", url: "***" }, before)).toEqual(["url"]);
});
