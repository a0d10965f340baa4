import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { expect, onTestFinished, test, vi } from "vitest";
import { mendTimers } from "./timers.ts";

mendTimers();

test("a queue of kafkajs sets a timer for requests that wait, and none of negative length for no request", () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const timer = vi.spyOn(globalThis, "setTimeout");
  const silent = { debug: () => {}, warn: () => {} };
  const queue = new RequestQueue({ requestTimeout: 1000, clientId: "c", broker: "b", logger: silent });
  const sent: number[] = [];
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, resolve: () => {}, reject: () => {} },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  push(1);
  queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 });
  expect(timer).not.toHaveBeenCalled();
  queue.maybeThrottle(500);
  push(2);
  expect(sent).toEqual([1]);
  expect(timer.mock.calls.map(([, ms]) => ms)).toEqual([500]);
  vi.advanceTimersByTime(500);
  expect(sent).toEqual([1, 2]);
});
