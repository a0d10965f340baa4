import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import type { Run } from "../support/api.ts";
import { sharedNode } from "../support/node.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

interface Letter {
  readonly id: string;
  readonly run_id: string;
  readonly record_id: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly payload: unknown;
  readonly state: unknown;
  readonly resolved: boolean;
  readonly integration_version: number;
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: object;
}

const shared = sharedNode();
beforeAll(async () => {
  await shared().api.connector("files", "file", { path: shared().files });
});

/** An integration of the node that all tests share. */
class Case {
  readonly name: string;
  readonly id: string;

  private constructor(name: string, id: string) {
    this.name = name;
    this.id = id;
  }

  /** One that has run once; its sources are files of these records. */
  static async ran(name: string, sources: readonly (readonly object[])[], spec: object): Promise<Case> {
    for (const [n, records] of sources.entries()) {
      writeFileSync(
        join(shared().files, `${name}-${n}.ndjson`),
        records.map((one) => `${JSON.stringify(one)}\n`).join(""),
      );
    }
    const made = new Case(name, await shared().api.integration(Case.body(name, sources.length, spec)));
    await shared().api.runAndWait(made.id);
    return made;
  }

  static body(name: string, sources: number, spec: object): object {
    const streams = Array.from({ length: sources }, (_, n) => ({ connector: "files", stream: `${name}-${n}.ndjson` }));
    const destination = { connector: "files", stream: `${name}-out.ndjson`, mode: "append" };
    return { name, ...(sources === 1 ? { source: streams[0] } : { sources: streams }), destination, ...spec };
  }

  change(spec: object, sources = 1): Promise<unknown> {
    return shared().api.call("PUT", `/v1/integrations/${this.id}`, Case.body(this.name, sources, spec));
  }

  /** Unresolved ones, whole, in the order of their places. */
  async letters(): Promise<Letter[]> {
    return (await shared().api.deadLetters<Letter>(this.id)).filter(({ resolved }) => !resolved);
  }

  dryRun(): Promise<object> {
    return shared().api.call("POST", `/v1/integrations/${this.id}/dead-letter/dry-run`);
  }

  /** Of all; resolves when it has ended, with its ledgers balanced. */
  async replay(body: object = {}): Promise<Job> {
    const { id } = await shared().api.call<Job>("POST", `/v1/integrations/${this.id}/dead-letter/replay-all`, body);
    let job = await shared().api.call<Job>("GET", `/v1/jobs/${id}`);
    const status = async () => {
      job = await shared().api.call<Job>("GET", `/v1/jobs/${id}`);
      return job.status;
    };
    await expect.poll(status, { timeout: 120_000, interval: 30 }).not.toBe("running");
    const { items } = await shared().api.call<{ items: (Run & { job_id?: string })[] }>(
      "GET",
      `/v1/integrations/${this.id}/runs`,
    );
    for (const run of items) if (run.job_id === id) await shared().api.ended(run.id);
    return job;
  }

  out<T>(): T[] {
    const lines = readFileSync(join(shared().files, `${this.name}-out.ndjson`), "utf8").split("\n");
    return lines.filter(Boolean).map((line) => JSON.parse(line) as T);
  }
}

const allPassed = (total: number) => ({
  status: "success",
  progress: { done: total, total, passed: total, failed: 0 },
});
const everything = { source: "$", destination: "*" };
const aged = (lenient: boolean) => ({
  source: "$.age",
  destination: "age",
  cast: "integer",
  ...(lenient && { on_error: "default", default: -1 }),
});

/** Two steps in a row: the first signs, the second casts. */
const signed = (by: string, lenient: boolean) => ({
  pipeline_spec: {
    steps: [
      { id: "sign", type: "map", mapping: [everything, { value: by, destination: "by" }] },
      { id: "cast", type: "map", mapping: [everything, aged(lenient)] },
    ],
  },
});

test.each([
  ["step", "first"],
  ["head", "second"],
])("from the %s a record has what the %s version of the step before made of it", async (from, by) => {
  const records = [1, 2, 3].map((id) => ({ id, age: id === 2 ? "many" : id }));
  const one = await Case.ran(`from-${from}`, [records], signed("first", false));
  expect(await one.letters()).toMatchObject([{ step: "cast", state: { id: 2, age: "many", by: "first" } }]);
  expect(await one.dryRun()).toMatchObject({ total: 1, passed: 0, failed: 1 });
  await one.change(signed("second", true));
  expect(await one.dryRun()).toMatchObject({ version: 2, total: 1, checked: 1, passed: 1, failed: 0, untried: 0 });
  expect(await one.replay({ from })).toMatchObject(allPassed(1));
  expect(one.out()).toEqual([
    { id: 1, age: 1, by: "first" },
    { id: 3, age: 3, by: "first" },
    { id: 2, age: -1, by },
  ]);
  expect(await one.letters()).toEqual([]);
});

test.each(["step", "head"])(
  "of a record that was split only the children that failed are replayed from the %s",
  async (from) => {
    const spec = (lenient: boolean) => ({
      pipeline_spec: {
        steps: [
          { id: "each", type: "split", path: "items" },
          { id: "cast", type: "map", mapping: [everything, aged(lenient)] },
        ],
      },
    });
    const items = (...ages: unknown[]) => ({ items: ages.map((age, n) => ({ n, age })) });
    const one = await Case.ran(`split-${from}`, [[items(0, "x", 2, "y"), items(4)]], spec(false));
    const letters = await one.letters();
    expect(letters.map(({ state }) => state)).toEqual(
      expect.arrayContaining([
        { n: 1, age: "x" },
        { n: 3, age: "y" },
      ]),
    );
    expect(new Set(letters.map(({ record_id }) => record_id)).size).toBe(1);
    await one.change(spec(true));
    expect(await one.dryRun()).toMatchObject({ total: 2, passed: 2, failed: 0 });
    expect(await one.replay({ from })).toMatchObject(allPassed(2));
    const landed = one.out<{ n: number; age: number }>().map(({ n, age }) => `${n}:${age}`);
    expect(landed.toSorted()).toEqual(["0:0", "0:4", "1:-1", "2:2", "3:-1"]);
  },
);

test("a window's result that failed behind its window enters there again, and opens no other", async () => {
  const spec = (lenient: boolean) => ({
    pipeline_spec: {
      steps: [
        { id: "sums", type: "aggregate", key: ["kind"], window: { count: 2 }, measures: { total: { sum: "n" } } },
        {
          id: "cast",
          type: "map",
          mapping: [
            { source: "$.kind", destination: "age", cast: "integer", ...(lenient && { on_error: "skip" }) },
            { source: "$.total", destination: "total" },
          ],
        },
      ],
    },
  });
  const records = [1, 2, 3, 4].map((n) => ({ n, kind: n % 2 === 0 ? "even" : "7" }));
  const one = await Case.ran("windows", [records], spec(false));
  expect(one.out()).toEqual([{ age: 7, total: 4 }]);
  expect(await one.letters()).toMatchObject([{ step: "cast", state: { kind: "even", total: 6 } }]);
  await one.change(spec(true));
  // What enters behind the head cannot be tried.
  expect(await one.dryRun()).toMatchObject({ total: 1, untried: 1 });
  for (const from of ["head", "step"]) {
    const replayed = await one.replay({ from });
    expect(replayed).toMatchObject(from === "head" ? allPassed(1) : allPassed(0));
  }
  expect(one.out()).toEqual([{ age: 7, total: 4 }, { total: 6 }]);
});

test("records of several sources keep their ids and their streams through a replay", async () => {
  const spec = (lenient: boolean) => ({
    mapping_spec: [
      { source: "$.id", destination: "id" },
      aged(lenient),
      { transform: "meta.record_id", destination: "record" },
      { transform: "meta.stream", destination: "stream" },
    ],
  });
  const records = (kind: string) => [1, 2].map((id) => ({ id: `${kind}${id}`, age: id === 2 ? "many" : id }));
  const one = await Case.ran("several", [records("a"), records("b")], spec(false));
  const letters = await one.letters();
  expect(letters).toHaveLength(2);
  await one.change(spec(true), 2);
  expect(await one.dryRun()).toMatchObject({ total: 2, passed: 2, failed: 0 });
  expect(await one.replay()).toMatchObject(allPassed(2));
  const landed = one.out<{ id: string; record: string; stream: string }>();
  expect(new Set(landed.map(({ record }) => record)).size).toBe(4);
  for (const { payload, record_id } of letters) {
    const { id } = payload as { id: string };
    const stream = `several-${id.startsWith("a") ? 0 : 1}.ndjson`;
    expect(landed.filter((record) => record.id === id)).toEqual([{ id, age: -1, record: record_id, stream }]);
  }
});

test("what a run had put into the dead letters before on_error: stop ended it is replayed as any other", async () => {
  const spec = (lenient: boolean) => ({
    pipeline_spec: {
      steps: [
        { id: "cast", type: "map", mapping: [everything, aged(lenient)] },
        {
          id: "check",
          type: "validate",
          schema: lenient ? true : { properties: { ok: { const: true } } },
          on_error: "stop",
        },
      ],
    },
  });
  const text = "x".repeat(2_000);
  // Of more than one batch: the first is settled when the last stops the run.
  const records = Array.from({ length: 2_000 }, (_, id) => ({
    id,
    age: id === 3 ? "many" : id,
    ok: id !== 1_999,
    text,
  }));
  const one = await Case.ran("stopped", [records], spec(false));
  const { items } = await shared().api.call<{ items: Run[] }>("GET", `/v1/integrations/${one.id}/runs`);
  expect(items[0]).toMatchObject({ status: "failed", error: { code: "VALIDATION_ERROR" } });
  const [letter, ...others] = await one.letters();
  expect([letter?.step, letter?.run_id, others]).toEqual(["cast", items[0]?.id, []]);
  await one.change(spec(true));
  expect(await one.dryRun()).toMatchObject({ total: 1, passed: 1, failed: 0 });
  expect(await one.replay()).toMatchObject(allPassed(1));
  expect(one.out<{ id: number }>().filter(({ id }) => id === 3)).toMatchObject([{ age: -1 }]);
  // The record that stopped the run went nowhere, and is read again by the next.
  expect(one.out<{ id: number }>().filter(({ id }) => id === 1_999)).toEqual([]);
  expect(await shared().api.runAndWait(one.id)).toMatchObject({ status: "success", records_in: 2_000 });
});

test("a corrected record goes through the original version where that is asked for", async () => {
  const one = await Case.ran(
    "corrected",
    [
      [
        { id: 1, age: "many" },
        { id: 2, age: "few" },
      ],
    ],
    signed("first", false),
  );
  await one.change(signed("second", true));
  const [first, second] = await one.letters();
  await shared().api.call("PATCH", `/v1/dead-letter/${first!.id}`, { payload: { id: 1, age: "41" } });
  // The dry run is of the current version.
  expect(await one.dryRun()).toMatchObject({ version: 2, total: 2, passed: 2 });
  expect(await one.replay({ version: "original" })).toMatchObject({
    status: "partial",
    progress: { done: 2, passed: 1, failed: 1 },
  });
  expect(one.out()).toEqual([{ id: 1, age: 41, by: "first" }]);
  expect(await one.letters()).toMatchObject([{ id: second!.id, integration_version: 1 }]);
  await shared().api.call("PATCH", `/v1/dead-letter/${second!.id}`, { payload: { id: 2, age: "x" } });
  expect(await one.replay({ version: "original", from: "head" })).toMatchObject({ progress: { failed: 1 } });
  expect(await one.replay()).toMatchObject(allPassed(1));
  expect(one.out()).toEqual([
    { id: 1, age: 41, by: "first" },
    { id: 2, age: -1, by: "second" },
  ]);
});
