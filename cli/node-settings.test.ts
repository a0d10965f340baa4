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
