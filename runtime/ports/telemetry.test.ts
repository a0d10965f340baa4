import { expect, test } from "vitest";
import { failedIn, gathered, noTracing } from "./telemetry.ts";

const at = (trace: number, flags = "01") => `00-${String(trace).padStart(32, "0")}-00f067aa0ba902b7-${flags}`;

test("what is gathered of one span is part of it, and of none of nothing", () => {
  expect(gathered([at(1), undefined, at(1)])).toEqual({ parent: at(1) });
  expect(gathered([undefined])).toEqual({ parent: undefined });
});

test("what is gathered of several spans is part of the first that is sampled, with links to the others", () => {
  expect(gathered([at(1, "00"), at(2), at(3), undefined])).toEqual({
    parent: at(2),
    links: [at(3), at(1, "00")],
  });
});

test("links are bounded", () => {
  const { links } = gathered(Array.from({ length: 500 }, (_, n) => at(n)));
  expect(links).toHaveLength(64);
});

test("where nothing is exported a request's own context goes on, and none where several came together", () => {
  expect(noTracing.start("append", {}, gathered([at(1)])).traceparent).toBe(at(1));
  expect(noTracing.start("append", {}, gathered([at(1), at(2)])).traceparent).toBeUndefined();
  expect(noTracing.start("append", {}).traceparent).toBeUndefined();
});

test("failures are told by their number and the first one's code", () => {
  expect(failedIn([])).toEqual({ "sluice.failed": 0 });
  expect(failedIn([{ code: "TIMEOUT" }, { code: "CONFLICT" }])).toEqual({
    "sluice.failed": 2,
    "error.type": "TIMEOUT",
  });
});
