import { describe, expect, it } from "vitest";
import { settleOnce } from "./settle-once.ts";

describe("settleOnce", () => {
  it("passes on the first settle and throws at the second, also when the first threw", () => {
    const seen: string[] = [];
    const settle = settleOnce((value: string) => void seen.push(value));
    settle("ack");
    expect(() => settle("nak")).toThrow("settled twice");
    expect(seen).toEqual(["ack"]);
    const failing = settleOnce(() => {
      throw new Error("lost");
    });
    expect(failing).toThrow("lost");
    expect(failing).toThrow("settled twice");
  });
});
