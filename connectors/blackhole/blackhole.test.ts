import { expect, test } from "vitest";
import { describeConnector } from "../conformance/index.ts";
import type { Json, OutRecord, WriteBatch } from "../sdk/index.ts";
import { Blackhole, type BlackholeConfig, blackhole } from "./index.ts";

const context = { dataDir: "/", fileRoots: [] };
const records = Array.from({ length: 8 }, (_, id) => ({ id, name: `record ${id}` }));

function batchOf(values: readonly Json[], signal = new AbortController().signal): WriteBatch {
  return {
    signal,
    records: values.map((value): OutRecord => ({ value, text: JSON.stringify(value), id: JSON.stringify(value) })),
  };
}

function open(connector: Blackhole, stream = "void") {
  const signal = new AbortController().signal;
  return connector.openDestination({ stream, mode: "append", key: [], runId: "run", state: null, signal });
}

async function failuresOf(config: BlackholeConfig, values: readonly Json[], tries = 1): Promise<number[][]> {
  const destination = await open(new Blackhole(config));
  const results: number[][] = [];
  for (let at = 0; at < tries; at++) {
    const { failed = [] } = await destination.write(batchOf(values));
    results.push(failed.map(({ index }) => index));
  }
  return results;
}

let made: Blackhole;

describeConnector(
  {
    ...blackhole,
    // The suite looks at what arrived, which this far side forgets: the instance under test is handed out.
    create: (config: BlackholeConfig) => (made = new Blackhole(config)),
  },
  async () => {
    let before = 0;
    return {
      context,
      config: { keep: 1_000 },
      badConfigs: [],
      destination: {
        stream: "void",
        modes: ["append", "upsert", "replace"],
        key: ["id"],
        records,
        stored: async () => {
          const byId = new Map(made.kept.slice(before).map((kept) => [kept.id, kept.record]));
          return [...byId.values()];
        },
        clear: async () => {
          before = made.kept.length;
        },
      },
      close: async () => {},
    };
  },
);
test("the share of records asked for fails, the same ones each time", async () => {
  const many = Array.from({ length: 2_000 }, (_, id) => ({ id }));
  const [once, again] = await failuresOf({ fail: { ratio: 0.1, code: "BUSINESS_RULE" } }, many, 2);
  expect(once!.length).toBeGreaterThan(140);
  expect(once!.length).toBeLessThan(260);
  expect(again).toEqual(once);
});

test("failures of a code that goes away are drawn anew at each try", async () => {
  const many = Array.from({ length: 200 }, (_, id) => ({ id }));
  const [once, again] = await failuresOf({ fail: { ratio: 0.5, code: "UNAVAILABLE" } }, many, 2);
  expect(again).not.toEqual(once);
});

test("all fail at ratio 1 and none at 0", async () => {
  expect(await failuresOf({ fail: { ratio: 1 } }, records)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]]);
  expect(await failuresOf({ fail: { ratio: 0 } }, records)).toEqual([[]]);
});

test("the last records that did not fail are kept, and counted by stream", async () => {
  const connector = new Blackhole({ keep: 3 });
  const destination = await open(connector);
  for (const record of records) await destination.write(batchOf([record]));
  await (await open(connector, "other")).write(batchOf(records));
  expect(connector.kept.map((kept) => [kept.stream, kept.record])).toEqual(
    records.slice(-3).map((record) => ["other", record]),
  );
  expect([...connector.written]).toEqual([
    ["void", 8],
    ["other", 8],
  ]);
  expect(await connector.discover()).toEqual([
    { name: "void", schema: {} },
    { name: "other", schema: expect.objectContaining({ type: "object", required: ["id", "name"] }) },
  ]);
});

test("nothing is kept unless asked for", async () => {
  const connector = new Blackhole({});
  await (await open(connector)).write(batchOf(records));
  expect(connector.kept).toEqual([]);
});

test("after hang_after records a write answers only to its abort", async () => {
  const destination = await open(new Blackhole({ hang_after: 8 }));
  await destination.write(batchOf(records));
  const controller = new AbortController();
  const write = destination.write(batchOf(records, controller.signal));
  controller.abort(new Error("enough"));
  await expect(write).rejects.toThrow("enough");
});

test("a write takes its latency, as a duration or in milliseconds, and can be aborted meanwhile", async () => {
  for (const latency of ["30ms", 30]) {
    const begun = performance.now();
    await (await open(new Blackhole({ latency }))).write(batchOf(records));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(28);
  }
  const controller = new AbortController();
  const write = (await open(new Blackhole({ latency: "1h" }))).write(batchOf(records, controller.signal));
  controller.abort();
  await expect(write).rejects.toMatchObject({ name: "AbortError" });
});
