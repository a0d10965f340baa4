import { afterAll, expect, test } from "vitest";
import { createSandbox } from "../../adapters/isolate/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { ConnectorError, type JsonObject, type JsonSchema } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { realClock } from "../ports/clock.ts";
import type { Lookup } from "../ports/lookups.ts";
import { previewRecords } from "./preview.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.close());

interface Given {
  readonly spec?: JsonObject;
  readonly schema?: JsonSchema;
  readonly lookup?: Lookup["lookup"];
  readonly signal?: AbortSignal;
}

function preview(steps: JsonObject[], values: (JsonObject | undefined)[], given: Given = {}) {
  const integration = resolveIntegration({
    source: { connector: "files", stream: "orders.ndjson" },
    destination: { connector: "shop", stream: "orders", mode: "upsert", key: ["id"] },
    pipeline_spec: { steps },
    ...given.spec,
  });
  const records = values.map((value, i) => ({ position: { base: "orders.ndjson", ordinal: i + 1 }, value }));
  const lookups = {
    open: async () => ({
      connectorType: "fake",
      resolve: async (text: string) => text,
      lookup: given.lookup!,
      close: async () => {},
    }),
  };
  return previewRecords(
    { id: "id", name: "orders", integration, records, schema: given.schema ?? null },
    { validator: createValidator(), sandbox, clock: realClock, lookups },
    given.signal ?? new AbortController().signal,
  );
}

test("every record shows what each step took and gave, and what its destination would receive", async () => {
  const { records, totals, windows, truncated } = await preview(
    [
      { id: "paid", type: "filter", where: "$.paid == true" },
      { id: "m", type: "map", mapping: [{ source: "$.id", destination: "id", cast: "integer" }] },
    ],
    [{ id: "1", paid: true }, { id: "2" }],
  );
  const [first, second] = records;
  const one = (record: JsonObject) => ({ count: 1, records: [{ child: "", record }] });
  expect(first).toEqual({
    record_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    position: { base: "orders.ndjson", ordinal: 1 },
    record: { id: "1", paid: true },
    status: "delivered",
    failure: null,
    steps: [
      {
        step: "paid",
        type: "filter",
        in: one({ id: "1", paid: true }),
        out: one({ id: "1", paid: true }),
        failures: [],
      },
      { step: "m", type: "map", in: one({ id: "1", paid: true }), out: one({ id: 1 }), failures: [] },
    ],
    destinations: [{ destination: "shop", connector: "shop", stream: "orders", mode: "upsert", in: one({ id: 1 }) }],
  });
  expect(second).toMatchObject({
    status: "filtered",
    steps: [{ step: "paid", in: one({ id: "2" }), out: { count: 0, records: [] } }],
    destinations: [],
  });
  expect([totals, windows, truncated]).toEqual([
    { in: 2, delivered: 1, aggregated: 0, filtered: 1, failed: 0 },
    null,
    false,
  ]);
});

test("a failure has its rule and message, beside what its step would do with it", async () => {
  const mapping = [
    { source: "$.id", destination: "id" },
    { source: "$.n", destination: "n", cast: "integer" },
  ];
  const step = (on_error: string) => [{ id: "m", type: "map", mapping, on_error }];
  const record = { id: 1, n: "x" };
  const [failed, dropped, stopped] = await Promise.all(
    ["dead_letter", "drop", "stop"].map(async (on_error) => (await preview(step(on_error), [record])).records[0]!),
  );
  expect(failed).toMatchObject({
    status: "failed",
    steps: [{ in: { count: 1 }, out: { count: 0 }, failures: [{ child: "", rule: 1, code: "VALIDATION_ERROR" }] }],
  });
  expect(failed!.steps[0]!.failures[0]!.message).toContain("$.n");
  expect(dropped).toMatchObject({ status: "filtered", steps: [{ failures: [{ on_error: "drop" }] }] });
  expect(stopped).toMatchObject({ status: "failed", steps: [{ failures: [{ on_error: "stop" }] }] });
});

test("what a step makes of one record is followed by its place among its siblings, and over a route to its target", async () => {
  const { records } = await preview(
    [
      { id: "s", type: "split", path: "lines" },
      { id: "r", type: "route", routes: [{ to: "big", where: "$.n > 1" }], otherwise: "small" },
    ],
    [{ lines: [{ n: 1 }, { n: 2 }, 3] }],
    {
      spec: {
        destination: undefined as never,
        destinations: ["big", "small"].map((id) => ({ id, connector: "shop", stream: id, needs: ["r"] })),
      },
    },
  );
  expect(records[0]).toMatchObject({
    status: "failed",
    steps: [
      { step: "s", out: { count: 2 }, failures: [{ child: "", rule: null }] },
      {
        step: "r",
        out: {
          records: expect.arrayContaining([
            { child: "0", to: "small", record: { n: 1 } },
            { child: "1", to: "big", record: { n: 2 } },
          ]),
        },
      },
    ],
    destinations: [
      { destination: "big", in: { count: 1, records: [{ child: "1", record: { n: 2 } }] } },
      { destination: "small", in: { count: 1, records: [{ child: "0", record: { n: 1 } }] } },
    ],
  });
});

test("aggregates close their windows at the end; what they give descends from no single record", async () => {
  const aggregate = {
    id: "a",
    type: "aggregate",
    key: ["shop"],
    window: { count: 10 },
    measures: { sum: { sum: "n" } },
  };
  const values = [
    { shop: "x", n: 1 },
    { shop: "x", n: 2 },
  ];
  const plain = await preview([aggregate], values);
  expect(plain.records).toMatchObject([{ status: "aggregated", steps: [{ in: { count: 1 }, out: { count: 0 } }] }, {}]);
  expect(plain.windows).toMatchObject({
    steps: [{ step: "a", in: { count: 0 }, out: { records: [{ record: { shop: "x", sum: 3 } }] } }],
    destinations: [{ in: { count: 1 } }],
  });
  const emit = [{ source: "$.measures.sum", destination: "total" }];
  const reshaped = await preview([{ ...aggregate, emit }], values);
  expect(reshaped.records[0]!.steps).toMatchObject([{ step: "a", in: { count: 1 }, out: { count: 0 } }]);
  expect(reshaped.windows).toMatchObject({
    steps: [{ step: "a", in: { count: 0 }, out: { count: 1, records: [{ record: { total: 3 } }] } }],
  });
  expect(reshaped.totals).toMatchObject({ in: 2, aggregated: 2 });
});

test("scripts run in the sandbox, with what they know of the record", async () => {
  const script = "(record, meta) => ({ from: meta.integration, stream: meta.stream, run: meta.run_id })";
  const { records } = await preview([{ id: "t", type: "transform", script }], [{ a: 1 }]);
  expect(records[0]!.destinations[0]!.in.records[0]!.record).toEqual({
    from: "orders",
    stream: "orders.ndjson",
    run: "preview",
  });
});

const enrich = { id: "e", type: "enrich", connector: "crm", request: { id: "{{ $.id }}" }, merge_at: "found" };

test("look-ups are asked, once for equal requests", async () => {
  const asked: unknown[] = [];
  const { records } = await preview([enrich], [{ id: 1 }, { id: 1 }], {
    lookup: async (requests) => {
      asked.push(...requests);
      return { answers: requests.map(() => ({ name: "Ada" })) };
    },
  });
  expect(asked).toHaveLength(1);
  expect(records[1]!.destinations[0]!.in.records[0]!.record).toEqual({ id: 1, found: { name: "Ada" } });
});

test("a far side that is away ends the preview at once with the reason", async () => {
  const lookup = async () => {
    throw new ConnectorError("UNAVAILABLE", "connection refused", { fault: "destination" });
  };
  await expect(preview([enrich], [{ id: 1 }], { lookup })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("connection refused"),
  });
});

test("a look-up without an end ends with the signal", async () => {
  const stop = new AbortController();
  const lookup = () => {
    stop.abort(new Error("enough"));
    return new Promise<never>(() => {});
  };
  await expect(preview([enrich], [{ id: 1 }], { lookup, signal: stop.signal })).rejects.toThrow("enough");
});

test("what could not be read, or what the schema contract refuses, gets to no step", async () => {
  const schema = { type: "object", properties: { id: { type: "integer" } } };
  const { records, totals } = await preview([], [undefined, { id: "x" }, { id: 1 }], {
    schema,
    spec: { schema: { contract: "freeze" } },
  });
  expect(records.map(({ status, steps, failure }) => [status, steps.length, failure?.message ?? null])).toEqual([
    ["failed", 0, "is no record"],
    ["failed", 0, expect.stringContaining("id")],
    ["delivered", 0, null],
  ]);
  expect(totals).toMatchObject({ in: 3, failed: 2, delivered: 1 });
});

test("a record that becomes thousands is counted, and the first of them are shown", async () => {
  const { records, truncated } = await preview(
    [{ id: "s", type: "split", path: "n", as: "n" }],
    [{ n: Array.from({ length: 5_000 }, (_, i) => i) }],
  );
  expect(records[0]!.steps[0]).toMatchObject({ in: { count: 1 }, out: { count: 5_000 } });
  expect(records[0]!.destinations[0]!.in.records.map(({ record }) => record.n)).toEqual(
    Array.from({ length: 20 }, (_, i) => i),
  );
  expect(truncated).toBe(true);
});
