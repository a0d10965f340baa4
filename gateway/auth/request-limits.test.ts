import { expect, test } from "vitest";
import { networkOf, RequestLimits } from "./request-limits.ts";

function limits(perMinute = 3, refusedPerMinute = 2) {
  let now = 0;
  const counted = new RequestLimits({ perMinute, refusedPerMinute, now: () => now });
  return { counted, pass: (ms: number) => void (now += ms) };
}
const caller = (id: string, rateLimit: number | null = null) => ({ id, rateLimit });
const tooMany = expect.objectContaining({ code: "RATE_LIMITED" });
const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a caller has its requests for a minute from the first one on, whatever others do", () => {
  const { counted, pass } = limits();
  expect(counted.take(caller("a"), false)).toEqual({ limit: 3, remaining: 2, resetS: 60 });
  pass(10_500);
  counted.take(caller("a"), false);
  expect(counted.take(caller("a"), false)).toEqual({ limit: 3, remaining: 0, resetS: 50 });
  const error = thrown(() => counted.take(caller("a"), false));
  expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 50_000 });
  expect(counted.take(caller("b"), false)).toMatchObject({ remaining: 2 });
  pass(49_500);
  expect(counted.take(caller("a"), false)).toEqual({ limit: 3, remaining: 2, resetS: 60 });
});

test("a limit of the caller's own goes before the one for all, and 0 is none", () => {
  const { counted } = limits();
  counted.take(caller("one", 1), false);
  expect(thrown(() => counted.take(caller("one", 1), false))).toEqual(tooMany);
  for (let i = 0; i < 10; i++) expect(counted.take(caller("none", 0), false)).toBeNull();
});

test("what moves records is bounded by a limit of the caller's own alone", () => {
  const { counted } = limits();
  for (let i = 0; i < 10; i++) expect(counted.take(caller("a"), true)).toBeNull();
  counted.take(caller("one", 1), true);
  expect(thrown(() => counted.take(caller("one", 1), true))).toEqual(tooMany);
});

test("requests without a valid token are counted by address, those of an IPv6 network together", () => {
  const { counted } = limits();
  counted.refused("2001:db8::1");
  counted.refused("2001:db8::2");
  expect(thrown(() => counted.refused("2001:db8:0:0:ffff::3"))).toEqual(tooMany);
  counted.refused("2001:db8:1::1");
  counted.refused("10.0.0.1");
});

test("an address has none left once the next one without a token would be refused, until its minute is over", () => {
  const { counted, pass } = limits(3, 2);
  expect(counted.isSpent("10.0.0.1")).toBe(false);
  counted.refused("10.0.0.1");
  expect(counted.isSpent("10.0.0.1")).toBe(false);
  counted.refused("10.0.0.1");
  expect(counted.isSpent("10.0.0.1")).toBe(true);
  expect(counted.isSpent("10.0.0.2")).toBe(false);
  pass(60_000);
  expect(counted.isSpent("10.0.0.1")).toBe(false);
  expect(limits(3, 0).counted.isSpent("10.0.0.1")).toBe(false);
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::1", "0:0:0:0::/64"],
  ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["fe80::1:2:3:4", "fe80:0:0:0::/64"],
])("%s is of %s", (address, network) => expect(networkOf(address)).toBe(network));

test("however many callers there are, what is remembered of them is bounded, and they are served", () => {
  const { counted } = limits(1, 1);
  for (let i = 0; i < 50_000; i++) counted.refused(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  expect(thrown(() => counted.refused("10.0.195.79"))).toEqual(tooMany);
});
