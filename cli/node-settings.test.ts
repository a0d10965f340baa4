import { expect, test } from "vitest";
import { readNodeSettings } from "./node-settings.ts";

const allowed = (SLUICE_ALLOW_ADDRESSES?: string) => readNodeSettings({ SLUICE_ALLOW_ADDRESSES }, "/").allowAddresses;

test("the addresses that may be reached are CIDRs and plain addresses, none unless they are named", () => {
  expect(allowed()).toEqual([]);
  expect(allowed("")).toEqual([]);
  expect(allowed("10.0.0.0/8, ::1,,fd00::/8 ,127.0.0.1")).toEqual(["10.0.0.0/8", "::1", "fd00::/8", "127.0.0.1"]);
});

test.each(["localhost", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/8", "*"])(
  "%s is none",
  (text) => {
    expect(() => allowed(text)).toThrow(`SLUICE_ALLOW_ADDRESSES: "${text}" is no address and no CIDR`);
  },
);

test("copies of the logs are as many as the cluster gives unless SLUICE_NATS_REPLICAS says how many", () => {
  expect(readNodeSettings({}).natsReplicas).toBeUndefined();
  expect(readNodeSettings({ SLUICE_NATS_REPLICAS: "" }).natsReplicas).toBeUndefined();
  expect(readNodeSettings({ SLUICE_NATS_REPLICAS: "5" }).natsReplicas).toBe(5);
});

test.each(["0", "6", "three", "1.5", "-1"])("SLUICE_NATS_REPLICAS is refused as %s, by its name", (text) => {
  expect(() => readNodeSettings({ SLUICE_NATS_REPLICAS: text })).toThrow(`SLUICE_NATS_REPLICAS is "${text}"`);
});

test("history is kept for 90 days unless set otherwise, and never for less than seven", () => {
  expect(readNodeSettings({})).toMatchObject({
    retentionDays: 90,
    deadLetterDays: 90,
    auditDays: Number.POSITIVE_INFINITY,
  });
  const set = {
    SLUICE_RETENTION_RUNS: "30d",
    SLUICE_RETENTION_DEAD_LETTERS: "180d",
    SLUICE_RETENTION_AUDIT: "730d",
  };
  expect(readNodeSettings(set)).toMatchObject({ retentionDays: 30, deadLetterDays: 180, auditDays: 730 });
  for (const wrong of ["6d", "1h", "90", "ever"]) {
    expect(() => readNodeSettings({ SLUICE_RETENTION_RUNS: wrong })).toThrow(
      `SLUICE_RETENTION_RUNS is "${wrong}": a duration such as 90d, of seven days at least`,
    );
  }
});
