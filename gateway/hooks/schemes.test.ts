import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { HookAuth, HookScheme } from "../../runtime/config/index.ts";
import { createVerifier } from "./schemes.ts";

interface Case {
  readonly name: string;
  readonly secret?: string;
  readonly secrets?: readonly string[];
  readonly now?: number;
  readonly tolerance_s?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly body_base64?: string;
  readonly valid: boolean;
}

interface Vectors {
  readonly cases: readonly Case[];
  readonly unusable_secrets?: readonly { readonly secret: string }[];
}

const verified = new Set<string>();

describe.each<[HookScheme, number]>([
  ["standard-webhooks", 38],
  ["github", 22],
  ["stripe", 22],
  ["slack", 16],
])("the published vectors of %s", (scheme, count) => {
  const file = new URL(`../../tests/vectors/webhooks/${scheme}.json`, import.meta.url);
  const { cases, unusable_secrets = [] } = JSON.parse(readFileSync(file, "utf8")) as Vectors;

  test.each(cases)("$name: $valid", (each) => {
    const { headers, valid, secret, secrets = [secret!], now = 0, tolerance_s = 300 } = each;
    const verify = createVerifier({ scheme, secrets, toleranceMs: tolerance_s * 1000 });
    const body = each.body_base64 ? Buffer.from(each.body_base64, "base64") : Buffer.from(each.body ?? "");
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const outcome = () => verify({ headers: lower, body }, now * 1000);
    if (valid) expect(outcome()).toBeTypeOf("object");
    else expect(outcome).toThrow(expect.objectContaining({ code: "UNAUTHORIZED" }));
    verified.add(`${scheme} ${each.name}`);
  });

  test("are all there", () => {
    expect(
      verified
        .values()
        .filter((name) => name.startsWith(`${scheme} `))
        .toArray(),
    ).toHaveLength(count);
  });

  test.each(unusable_secrets)("no receiver is made with the secret $secret", ({ secret }) => {
    expect(() => createVerifier({ scheme, secrets: [secret], toleranceMs: 300_000 })).toThrow(/secrets\[0\]/);
  });
});

const body = Buffer.from('{"id":1}');
const auth = (scheme: HookScheme, ...secrets: string[]): HookAuth => ({ scheme, secrets, toleranceMs: 300_000 });
const unauthorized = expect.objectContaining({ code: "UNAUTHORIZED" });

test("a request of Standard Webhooks gives the id that was signed, and when", () => {
  const key = Buffer.from("a key of 24 bytes, no more");
  const signature = createHmac("sha256", key).update(`msg_1.1700000000.${body}`).digest("base64");
  const verify = createVerifier(auth("standard-webhooks", `whsec_${key.toString("base64")}`));
  for (const prefix of ["webhook", "svix"]) {
    const headers = {
      [`${prefix}-id`]: "msg_1",
      [`${prefix}-timestamp`]: "1700000000",
      [`${prefix}-signature`]: `v1,${signature}`,
    };
    expect(verify({ headers, body }, 1700000000_999)).toEqual({
      isSigned: true,
      id: "msg_1",
      signedAt: 1700000000_000,
    });
  }
});

test("a key of Standard Webhooks that is shorter than 16 bytes is none", () => {
  const short = `whsec_${Buffer.alloc(15, 1).toString("base64")}`;
  for (const secret of ["whsec_AA==", short])
    expect(() => createVerifier(auth("standard-webhooks", secret))).toThrow(/secrets\[0\] is a key of less than 16/);
});

test("a header with hundreds of signatures is refused before any is compared", () => {
  const many = Array.from({ length: 300 }, () => "v1,AAAA").join(" ");
  const headers = { "webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": many };
  const standard = createVerifier(auth("standard-webhooks", `whsec_${Buffer.alloc(24, 1).toString("base64")}`));
  expect(() => standard({ headers, body }, 1_000)).toThrow(/more than 16 signatures/);
  const stripe = { "stripe-signature": `t=1,${Array.from({ length: 300 }, () => "v1=aa").join(",")}` };
  expect(() => createVerifier(auth("stripe", "s"))({ headers: stripe, body }, 1_000)).toThrow(/more than 16/);
});

test("of Ed25519 signatures four are looked at, over a body of up to 1 MiB; a MAC that fits needs neither", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
  const key = Buffer.alloc(24, 1);
  const verify = createVerifier(auth("standard-webhooks", `whpk_${raw}`, `whsec_${key.toString("base64")}`));
  const head = "m.1.";
  const sent = (body: Buffer, signatures: readonly string[]) => () =>
    verify(
      { headers: { "webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": signatures.join(" ") }, body },
      1_000,
    );
  const right = (body: Buffer) =>
    `v1a,${signWith(null, Buffer.concat([Buffer.from(head), body]), privateKey).toString("base64")}`;
  const mac = (body: Buffer) => `v1,${createHmac("sha256", key).update(head).update(body).digest("base64")}`;
  const wrong = `v1a,${Buffer.alloc(64).toString("base64")}`;
  const largest = Buffer.alloc(1024 * 1024);
  const larger = Buffer.alloc(1024 * 1024 + 1);
  expect(sent(body, [wrong, wrong, wrong, right(body)])()).toMatchObject({ id: "m" });
  expect(sent(body, [wrong, wrong, wrong, wrong, right(body)])).toThrow(/more than 4 v1a/);
  expect(sent(largest, [right(largest)])()).toMatchObject({ id: "m" });
  expect(sent(larger, [right(larger)])).toThrow(/more than 1 MiB/);
  expect(sent(larger, [right(larger), mac(larger)])()).toMatchObject({ id: "m" });
});

test("a generic HMAC has its header, algorithm, encoding, prefix and timestamp as configured", () => {
  const form = { header: "x-sig", algorithm: "sha512", encoding: "base64", prefix: "v2 " } as const;
  const sign = (text: string, secret = "s") => `v2 ${createHmac("sha512", secret).update(text).digest("base64")}`;
  const plain = createVerifier({ ...auth("hmac", "old", "s"), hmac: form });
  expect(plain({ headers: { "x-sig": sign('{"id":1}') }, body }, 0)).toEqual({ isSigned: true });
  expect(() => plain({ headers: { "x-sig": sign('{"id":1}', "other") }, body }, 0)).toThrow(unauthorized);
  expect(() => plain({ headers: { "x-sig": sign('{"id":1}').slice(3) }, body }, 0)).toThrow(unauthorized);
  const timed = createVerifier({ ...auth("hmac", "s"), hmac: { ...form, timestampHeader: "x-at" } });
  const headers = { "x-sig": sign('100.{"id":1}'), "x-at": "100" };
  expect(timed({ headers, body }, 200_000)).toEqual({ isSigned: true, signedAt: 100_000 });
  expect(() => timed({ headers, body }, 401_000)).toThrow(/signed 301 s ago; 300 s are allowed/);
  expect(() => timed({ headers: { ...headers, "x-at": "101" }, body }, 200_000)).toThrow(unauthorized);
  expect(() => createVerifier(auth("hmac", "s"))).toThrow(/trigger\.auth\.header/);
});

test("basic and bearer take any of the valid credentials, and nothing near to one", () => {
  const basic = createVerifier(auth("basic", "etl:old", "etl:p:w"));
  const with64 = (text: string) => ({
    headers: { authorization: `Basic ${Buffer.from(text).toString("base64")}` },
    body,
  });
  expect(basic(with64("etl:p:w"), 0)).toEqual({ isSigned: false });
  expect(
    basic({ headers: { authorization: with64("etl:old").headers.authorization.replace("Basic", "basic") }, body }, 0),
  ).toEqual({ isSigned: false });
  for (const text of ["etl:", "etl:p", "etl:p:w ", ""]) expect(() => basic(with64(text), 0)).toThrow(unauthorized);
  expect(() => createVerifier(auth("basic", "no-colon"))).toThrow(/user:password/);
  const bearer = createVerifier(auth("bearer", "t1", "t2"));
  expect(bearer({ headers: { authorization: "Bearer t2" }, body }, 0)).toEqual({ isSigned: false });
  for (const authorization of ["Bearer t3", "Bearer", "t1", "Basic t1", "Bearer t1 t2"])
    expect(() => bearer({ headers: { authorization }, body }, 0)).toThrow(unauthorized);
  expect(() => bearer({ headers: {}, body }, 0)).toThrow(/authorization is missing/);
});
