import { expect, test } from "vitest";
import { correlationAt, correlationOf, requestMeta, traceparentOf } from "./correlation.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;

test("a traceparent is continued as it came, one of a later version as far as this one knows it", () => {
  expect(traceparentOf(traceparent)).toBe(traceparent);
  expect(traceparentOf(`cc-${trace}-00f067aa0ba902b7-01`)).toBe(traceparent);
  expect(traceparentOf(`cc-${trace}-00f067aa0ba902b7-01-what-comes-later`)).toBe(traceparent);
});

test.each([
  ["nothing", undefined],
  ["several", [traceparent, traceparent]],
  ["the version that there cannot be", `ff-${trace}-00f067aa0ba902b7-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
  ["a span of zeros", `00-${trace}-${"0".repeat(16)}-01`],
  ["capitals", traceparent.toUpperCase()],
  ["more than version 00 has", `${traceparent}-00`],
  ["a line break behind it", `${traceparent}\n`],
  ["half of it", traceparent.slice(0, 40)],
])("%s is no traceparent to go on with", (_what, header) => {
  expect(traceparentOf(header)).toBeUndefined();
});

test("what goes along is who asked and how the request is called, and nothing where nobody asked", () => {
  expect(correlationOf(null)).toBeUndefined();
  expect(correlationOf({ name: "ci", owner: null, requestId: null })).toEqual({ actor: "ci" });
  expect(correlationOf({ name: "ci", owner: "team-a", requestId: "r-1", traceparent })).toEqual({
    actor: "ci",
    owner: "team-a",
    requestId: "r-1",
    traceparent,
  });
});

test("a record of several requests' batch belongs to its own, and one of a single request's to that", () => {
  const header = { correlations: [{ requestId: "a" }, null] };
  expect(correlationAt(header, 0)).toEqual({ requestId: "a" });
  expect(correlationAt(header, 1)).toBeUndefined();
  expect(correlationAt(header, -1)).toBeUndefined();
  expect(correlationAt({ correlation: { requestId: "b" } }, 7)).toEqual({ requestId: "b" });
});

test("scripts and the API see what is known of a request, and no more", () => {
  expect(requestMeta({ requestId: "r-1", traceparent, actor: "ci", owner: "team-a" })).toEqual({
    id: "r-1",
    trace_id: trace,
    actor: "ci",
    owner: "team-a",
  });
  expect(requestMeta({ actor: "ci" })).toEqual({ actor: "ci" });
});
