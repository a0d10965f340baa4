import { expect, test } from "vitest";
import { SluiceError } from "../../runtime/errors/index.ts";
import { type EndedSpan, SpanRecorder } from "./recorder.ts";
import { samplerOf } from "./sampler.ts";

const unexpected = (problem: string) => {
  throw new Error(problem);
};

function recorder(sampler: string, ratio = "") {
  const exported: EndedSpan[] = [];
  const env = { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio };
  const tracing = new SpanRecorder(samplerOf(env, unexpected), (span) => exported.push(span));
  return { tracing, exported, names: () => exported.map(({ name }) => name) };
}

const sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const unsampled = sampled.replace(/01$/, "00");

test("a span goes on with the trace that it is given, and hands on that trace with an id of its own", () => {
  const { tracing, exported } = recorder("");
  const span = tracing.start("process", { "sluice.records": 2 }, { parent: sampled, links: [sampled], since: 5 });
  expect(span.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/);
  expect(exported).toEqual([]);
  span.end(undefined, { "sluice.failed": 0 });
  expect(exported).toEqual([
    {
      name: "process",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: span.traceparent?.split("-")[2],
      parentId: "00f067aa0ba902b7",
      began: 5,
      ended: expect.any(Number),
      attributes: { "sluice.records": 2, "sluice.failed": 0 },
      links: [sampled],
      error: undefined,
    },
  ]);
});

test("a trace that is not sampled is handed on as such and not exported", () => {
  const { tracing, exported } = recorder("");
  const span = tracing.start("process", {}, { parent: unsampled });
  expect(span.traceparent).toMatch(/-00$/);
  span.end();
  expect(exported).toEqual([]);
});

test("an error brings the spans of its trace with it, those before it and those behind it, and of no other trace", () => {
  const { tracing, exported, names } = recorder("parentbased_traceidratio", "0");
  const read = tracing.start("read", {});
  read.end();
  tracing.start("read", {}).end();
  const append = tracing.start("append", {}, { parent: read.traceparent });
  append.end();
  expect(names()).toEqual([]);
  tracing.start("process", {}, { parent: append.traceparent }).end(new SluiceError("TIMEOUT", "not to be shown"));
  expect(names()).toEqual(["read", "append", "process"]);
  expect(exported.map(({ error }) => error)).toEqual([undefined, undefined, "TIMEOUT"]);
  expect(new Set(exported.map(({ traceId }) => traceId)).size).toBe(1);
  tracing.start("settle", {}, { parent: append.traceparent }).end();
  expect(names()).toEqual(["read", "append", "process", "settle"]);
  expect(JSON.stringify(exported)).not.toContain("not to be shown");
});

test("records that failed are an error of their span", () => {
  const { tracing, exported } = recorder("always_off");
  tracing.start("process", {}).end(undefined, { "sluice.failed": 3, "error.type": "VALIDATION_ERROR" });
  expect(exported).toMatchObject([{ error: "VALIDATION_ERROR", attributes: { "sluice.failed": 3 } }]);
});

test("of a long trace the latest spans are kept for an error, and no more than as many behind it", () => {
  const { tracing, exported } = recorder("always_off");
  for (let n = 0; n < 1_000; n++) tracing.start("append", { n }, { parent: unsampled }).end();
  tracing.start("write", { n: 1_000 }, { parent: unsampled }).end(new Error());
  for (let n = 1_001; n < 2_000; n++) tracing.start("append", { n }, { parent: unsampled }).end();
  const numbers = exported.map(({ attributes }) => attributes.n);
  expect(numbers).toEqual(Array.from({ length: 128 }, (_, i) => 936 + i));
});

test("of many traces the oldest are forgotten", () => {
  const { tracing, names } = recorder("always_off");
  const first = tracing.start("read", {});
  first.end();
  for (let n = 0; n < 5_000; n++) tracing.start("read", {}).end();
  const last = tracing.start("read", {});
  last.end();
  tracing.start("append", {}, { parent: first.traceparent }).end(new Error());
  expect(names()).toEqual(["append"]);
  tracing.start("append", {}, { parent: last.traceparent }).end(new Error());
  expect(names()).toEqual(["append", "read", "append"]);
});

test.each([
  ["traceidratio", "0.25", 0.25],
  ["parentbased_traceidratio", "0.25", 0.25],
  ["traceidratio", "", 1],
  ["traceidratio", "1", 1],
  ["traceidratio", "0", 0],
  ["always_on", "", 1],
  ["always_off", "", 0],
  ["parentbased_always_off", "", 0],
  ["", "", 1],
])("the sampler %s with %s begins that share of the traces", (name, ratio, share) => {
  const sampler = samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }, unexpected);
  // Spread over all ids, and the same each time.
  const ids = Array.from({ length: 4_096 }, (_, n) => n.toString(16).padStart(3, "0").padEnd(32, "0"));
  expect(ids.filter((id) => sampler(id, undefined)).length / ids.length).toBeCloseTo(share, 2);
});

test("a sampler that goes by its parent does as the parent says, any other does not", () => {
  const id = "f".repeat(32);
  const by = (name: string, ratio: string) =>
    samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }, unexpected);
  expect(by("parentbased_traceidratio", "0")(id, true)).toBe(true);
  expect(by("parentbased_traceidratio", "1")(id, false)).toBe(false);
  expect(by("traceidratio", "0")(id, true)).toBe(false);
  expect(by("traceidratio", "1")(id, false)).toBe(true);
});

test.each([
  [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, /OTEL_TRACES_SAMPLER is "jaeger_remote"/],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1%" }, /OTEL_TRACES_SAMPLER_ARG is "1%"/],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" }, /no ratio from 0 to 1/],
])("what of a sampler is not understood is said, and everything is exported: %o", (env, problem) => {
  const problems: string[] = [];
  const sampler = samplerOf(env, (text) => problems.push(text));
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(sampler("f".repeat(32), undefined)).toBe(true);
});
