import { expect, test } from "vitest";
import { rivalId } from "../../runtime/hooks/index.ts";
import type { Proof } from "./proof.ts";
import { receivedRecords } from "./received.ts";

const idsOf = (headers: Record<string, string>, body: string, proof: Proof) =>
  receivedRecords({ headers, body: Buffer.from(body) }, proof).map(({ id }) => id);
const event = (id: string) => ({ "ce-specversion": "1.0", "ce-id": id, "ce-source": "/s", "ce-type": "t" });
const json = { "content-type": "application/json" };

test.each<[string, Proof]>([
  ["an id", { isSigned: true, id: "msg_1", signedAt: 1_000 }],
  ["a time", { isSigned: true, signedAt: 1_000 }],
  ["the body alone", { isSigned: true }],
])("where %s is signed, no header makes another request of one that was seen", (_, proof) => {
  const [id] = idsOf(json, '{"n":1}', proof);
  expect(id).toHaveLength(16);
  for (const headers of [
    {},
    { ...json, ...event("e1") },
    { ...json, ...event("e2") },
    { ...json, "x-github-delivery": "d1" },
    { ...json, "idempotency-key": "k1" },
    { "content-type": "text/plain" },
    { "content-type": "application/octet-stream" },
  ])
    expect(idsOf(headers as Record<string, string>, '{"n":1}', proof)).toEqual([id]);
  const [first, second] = idsOf(json, '[{"n":1},{"n":2}]', proof);
  expect(second).not.toBe(first);
  const [whole] = idsOf({ "content-type": "text/plain" }, '[{"n":1},{"n":2}]', proof);
  expect([first, second].map((id) => rivalId(id!))).toEqual([whole, whole]);
  expect(rivalId(whole!)).toBe(first);
});

test("what was signed tells requests apart", () => {
  const ids = new Set([
    ...idsOf(json, "1", { isSigned: true }),
    ...idsOf(json, "2", { isSigned: true }),
    ...idsOf(json, "1", { isSigned: true, signedAt: 1_000 }),
    ...idsOf(json, "1", { isSigned: true, signedAt: 2_000 }),
    ...idsOf(json, "1", { isSigned: true, signedAt: 1_000, id: "a" }),
    ...idsOf(json, "1", { isSigned: true, signedAt: 1_000, id: "b" }),
  ]);
  expect(ids.size).toBe(6);
});

test("a request that is not signed is known by what its sender calls it, a CloudEvent by its source and id", () => {
  const proof = { isSigned: false };
  expect(idsOf(json, "1", proof)).toEqual([null]);
  const named = (name: string) => idsOf({ ...json, "idempotency-key": name }, "1", proof);
  expect(named("a")).toEqual(named("a"));
  expect(named("a")).not.toEqual(named("b"));
  const sent = (id: string) => idsOf({ ...json, ...event(id) }, "1", proof);
  expect(sent("a")).toEqual(sent("a"));
  expect(sent("a")).not.toEqual(sent("b"));
});

test.each<[string, string, Uint8Array]>([
  ["that is nested too deep", "application/json", Buffer.from("[".repeat(10_000) + "]".repeat(10_000))],
  ["with a name twice", "application/json", Buffer.from('{"a":1,"a":2}')],
  ["in JSON that is no UTF-8", "application/json", Buffer.from([0x22, 0xff, 0x22])],
  ["in text that is no UTF-8", "text/plain", Buffer.from([0xff])],
])("the data of a CloudEvent %s is refused, in binary mode too", (_, type, body) => {
  const request = { headers: { "content-type": type, ...event("e1") }, body };
  expect(() => receivedRecords(request, { isSigned: false })).toThrow(
    expect.objectContaining({ code: "VALIDATION_ERROR" }),
  );
});

test("JSON is the record as it came, with every digit, and so is each element of an array", () => {
  const texts = (body: string) =>
    receivedRecords({ headers: json, body: Buffer.from(body) }, { isSigned: false }).map(({ text }) =>
      Buffer.from(text).toString(),
    );
  expect(texts('{"n": 12345678901234567890,\n"m":1e400}')).toEqual(['{"n": 12345678901234567890, "m":1e400}']);
  expect(texts('\ufeff[12345678901234567890, {"m": 1e400}]')).toEqual(["12345678901234567890", '{"m":1e400}']);
  expect(() => texts(`[${"1,".repeat(1_000)}1]`)).toThrow(/an array may have 1000 elements/);
  expect(() => texts("[1")).toThrow(/the body is no JSON/);
});

const form = (body: string) => {
  const [received] = receivedRecords(
    { headers: { "content-type": "application/x-www-form-urlencoded" }, body: Buffer.from(body) },
    { isSigned: false },
  );
  return Buffer.from(received!.text).toString();
};

test("a form is an object of its fields, and an array of each that comes several times", () => {
  expect(form("a=1&b=2&a=3&__proto__=4&a=%C3%A4")).toBe('{"a":["1","3","ä"],"b":"2","__proto__":"4"}');
  expect(form("")).toBe("{}");
});

test("a form of more than ten thousand fields is refused before it is parsed", () => {
  expect(JSON.parse(form("a&".repeat(9_999)))).toMatchObject({ a: { length: 9_999 } });
  const { user } = process.cpuUsage();
  expect(() => form("a&".repeat(1_000_000))).toThrow(/a form may have 10000 fields/);
  // Parsing it takes more than ten seconds.
  expect(process.cpuUsage().user - user).toBeLessThan(3_000_000);
});
