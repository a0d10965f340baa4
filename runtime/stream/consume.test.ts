import { from, Subject, throwError } from "rxjs";
import { describe, expect, it } from "vitest";
import { consume } from "./consume.ts";

describe("consume", () => {
  it("resolves at the stream's end and rejects with its error", async () => {
    const { signal } = new AbortController();
    expect(await consume(from([1, 2]), signal)).toBeUndefined();
    await expect(
      consume(
        throwError(() => new Error("lost")),
        signal,
      ),
    ).rejects.toThrow("lost");
  });

  it("leaves the stream when the signal aborts, also before the start", async () => {
    const controller = new AbortController();
    const source = new Subject<number>();
    const consumed = consume(source, controller.signal);
    expect(source.observed).toBe(true);
    controller.abort(new Error("enough"));
    expect(source.observed).toBe(false);
    await expect(consumed).rejects.toThrow("enough");
    await expect(consume(source, controller.signal)).rejects.toThrow("enough");
    expect(source.observed).toBe(false);
  });
});
