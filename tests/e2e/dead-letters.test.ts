import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Run } from "../support/api.ts";
import { sluice } from "../support/cli.ts";
import { TestNode } from "../support/node.ts";

interface Letter {
  readonly id: string;
  readonly run_id: string;
  readonly position: { readonly ordinal: number };
  readonly step: string | null;
  readonly destination: string | null;
  readonly message: string;
  readonly payload: Record<string, unknown>;
  readonly corrected: Record<string, unknown> | null;
  readonly attempt_count: number;
  readonly fingerprint: string;
  readonly resolved: boolean;
  readonly resolution: string | null;
  readonly resolution_reason: string | null;
  readonly resolved_run_id: string | null;
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly passed: number;
    readonly failed: number;
  };
}

const timeout = 120_000;
const strict = [
  { source: "$.id", destination: "id" },
  { source: "$.age", destination: "age", cast: "integer" },
];
const lenient = [
  { source: "$.id", destination: "id" },
  { source: "$.age", destination: "age", cast: "integer", on_error: "default", default: -1 },
];

class Dlq {
  readonly node: TestNode;
  readonly integration: string;

  private constructor(node: TestNode, integration: string) {
    this.node = node;
    this.integration = integration;
  }

  /** An integration of one or more destinations that has run once over the lines. */
  static async ran(lines: readonly object[], change: object = {}): Promise<Dlq> {
    const node = await TestNode.start();
    writeFileSync(join(node.files, "in.ndjson"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await node.api.connector("files", "file", { path: node.files });
    const body = Dlq.body(change);
    const dlq = new Dlq(node, await node.api.integration(body));
    await node.api.runAndWait(dlq.integration);
    return dlq;
  }

  static body(change: object = {}) {
    const files = { connector: "files" };
    return {
      name: "people",
      source: { ...files, stream: "in.ndjson" },
      mapping_spec: strict,
      destination: { ...files, stream: "out.ndjson", mode: "replace" },
      ...change,
    };
  }

  async replace(change: object): Promise<void> {
    await this.node.api.call("PUT", `/v1/integrations/${this.integration}`, Dlq.body(change));
  }

  async letters(query = "resolved=false"): Promise<Letter[]> {
    const path = `/v1/integrations/${this.integration}/dead-letter?limit=1000&${query}`;
    return (await this.node.api.call<{ items: Letter[] }>("GET", path)).items;
  }

  letter(id: string): Promise<Letter> {
    return this.node.api.call("GET", `/v1/dead-letter/${id}`);
  }

  replayAll(body: object = {}): Promise<Job> {
    return this.node.api.call("POST", `/v1/integrations/${this.integration}/dead-letter/replay-all`, body);
  }

  job(id: string): Promise<Job> {
    return this.node.api.call("GET", `/v1/jobs/${id}`);
  }

  async ended({ id }: Job): Promise<Job> {
    let job = await this.job(id);
    await expect
      .poll(
        async () => {
          job = await this.job(id);
          return job.status;
        },
        { timeout: 90_000, interval: 30 },
      )
      .not.toBe("running");
    // The ledgers of its runs balance as any other's.
    const { api } = this.node;
    const { items } = await api.call<{ items: Run[] }>("GET", `/v1/integrations/${this.integration}/runs`);
    for (const { id, status } of items) if (status !== "running") await api.ended(id);
    return job;
  }

  out(stream = "out.ndjson"): { id: number }[] {
    const text = readFileSync(join(this.node.files, stream), "utf8");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}

const people = (count: number, bad: (id: number) => boolean) =>
  Array.from({ length: count }, (_, id) => ({ id, age: bad(id) ? "many" : id }));

test("a corrected dead letter is replayed alone, its original kept beside", { timeout }, async () => {
  const dlq = await Dlq.ran(people(10, (id) => id % 5 === 0));
  const found = await dlq.letters();
  const [first, second] = found.sort((a, b) => a.position.ordinal - b.position.ordinal);
  expect(await dlq.letters("step=nothing")).toEqual([]);
  expect(await dlq.letters(`fingerprint=${first!.fingerprint}&code=VALIDATION_ERROR`)).toHaveLength(2);
  const { api } = dlq.node;
  await api.call("PATCH", `/v1/dead-letter/${first!.id}`, { payload: { id: 0, age: 40 } });
  const job = await dlq.ended(await api.call("POST", `/v1/dead-letter/${first!.id}/replay`));
  expect(job).toMatchObject({ status: "success", progress: { done: 1, total: 1, passed: 1, failed: 0 } });
  const letter = await dlq.letter(first!.id);
  expect(letter).toMatchObject({
    payload: { id: 0, age: "many" },
    corrected: { id: 0, age: 40 },
    corrected_by: "data folder",
    resolved: true,
    resolution: "replayed",
    resolved_by: "data folder",
    run_id: first!.run_id,
  });
  const run = await api.call<Run & { job_id: string }>("GET", `/v1/runs/${letter.resolved_run_id}`);
  expect(run).toMatchObject({ status: "success", records_in: 1, records_out: 1, trigger: "manual", job_id: job.id });
  expect(dlq.out().filter(({ id }) => id === 0)).toEqual([{ id: 0, age: 40 }]);
  expect(dlq.out()).toHaveLength(9);
  const again = await api.request("POST", `/v1/dead-letter/${first!.id}/replay`);
  expect([again.status, again.body]).toMatchObject([409, { code: "CONFLICT" }]);
  const discard = { resolution: "discarded", reason: "a test" };
  expect(await api.call("PATCH", `/v1/dead-letter/${second!.id}`, discard)).toMatchObject({
    resolved: true,
    resolution: "discarded",
    resolved_by: "data folder",
    resolution_reason: "a test",
  });
  expect(await dlq.letters()).toEqual([]);
});

test("a replay that fails again is one more attempt of the same dead letter", { timeout }, async () => {
  const dlq = await Dlq.ran(people(600, (id) => id % 2 === 0));
  const groups = await dlq.node.api.call("GET", `/v1/integrations/${dlq.integration}/dead-letter/groups`);
  expect(groups).toMatchObject({ items: [{ count: 300, step: "map", code: "VALIDATION_ERROR" }], next_cursor: null });
  const dryRun = (body?: object): Promise<object> =>
    dlq.node.api.call("POST", `/v1/integrations/${dlq.integration}/dead-letter/dry-run`, body);
  expect(await dryRun()).toMatchObject({ total: 300, checked: 300, passed: 0, failed: 300, untried: 0 });
  const failing = await dlq.ended(await dlq.replayAll());
  expect(failing).toMatchObject({ status: "partial", progress: { done: 300, total: 300, passed: 0, failed: 300 } });
  const letters = await dlq.letters();
  expect(letters).toHaveLength(300);
  expect(new Set(letters.map(({ attempt_count }) => attempt_count))).toEqual(new Set([2]));

  await dlq.replace({ mapping_spec: lenient });
  expect(await dryRun()).toMatchObject({ version: 2, passed: 300, failed: 0 });
  expect(await dryRun({ version: "original" })).toMatchObject({ passed: 0, failed: 300 });
  expect(await dryRun({ from: "step" })).toMatchObject({ passed: 0, failed: 0, untried: 300 });
  const original = await dlq.ended(await dlq.replayAll({ version: "original" }));
  expect(original).toMatchObject({ status: "partial", progress: { failed: 300 } });
  const passing = await dlq.ended(await dlq.replayAll());
  expect(passing).toMatchObject({ status: "success", progress: { done: 300, passed: 300 } });
  expect(await dlq.letters()).toEqual([]);
  expect(
    dlq
      .out()
      .map(({ id }) => id)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 600 }, (_, id) => id));
});

test("a destination's dead letters go to that destination alone", { timeout }, async () => {
  const destinations = (fail: number) => [
    { id: "file", connector: "files", stream: "out.ndjson", mode: "append" },
    { id: "hole", connector: fail > 0 ? "bad" : "good", stream: "x", mode: "append" },
  ];
  const node = await TestNode.start();
  writeFileSync(
    join(node.files, "in.ndjson"),
    people(50, () => false)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(""),
  );
  await node.api.connector("files", "file", { path: node.files });
  await node.api.connector("bad", "blackhole", { fail: { ratio: 1, code: "BUSINESS_RULE" } });
  await node.api.connector("good", "blackhole", {});
  const body = (fail: number) => {
    const { destination, ...rest } = Dlq.body({ destinations: destinations(fail) });
    return rest;
  };
  const id = await node.api.integration(body(1));
  expect(await node.api.runAndWait(id)).toMatchObject({ status: "partial", records_failed: 50 });
  await node.api.call("PUT", `/v1/integrations/${id}`, body(0));
  const job = await node.api.call<Job>("POST", `/v1/integrations/${id}/dead-letter/replay-all`, {
    destination: "hole",
  });
  await expect.poll(async () => (await node.api.call<Job>("GET", `/v1/jobs/${job.id}`)).status).toBe("success");
  expect(readFileSync(join(node.files, "out.ndjson"), "utf8").trim().split("\n")).toHaveLength(50);
  const runs = await node.api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs`);
  expect(runs.items[0]).toMatchObject({
    records_in: 50,
    records_out: 50,
    by_destination: { hole: { out: 50, failed: 0 } },
  });
});

test("a job rests, goes on and is cancelled; a second one takes only what is free", { timeout }, async () => {
  const dlq = await Dlq.ran(people(200, () => true));
  await dlq.replace({ mapping_spec: lenient });
  const { api } = dlq.node;
  const job = await dlq.replayAll({ rate: 100 });
  await expect.poll(async () => (await dlq.job(job.id)).progress.done, { interval: 20 }).toBeGreaterThan(0);
  const second = await dlq.ended(await dlq.replayAll());
  expect(second).toMatchObject({ status: "success", progress: { total: 0, done: 0 } });
  const inHand = (await dlq.letters())[0]!;
  expect((await api.request("PATCH", `/v1/dead-letter/${inHand.id}`, { payload: {} })).status).toBe(409);
  expect((await api.call<Job>("POST", `/v1/jobs/${job.id}/pause`)).status).toBe("paused");
  const running = `/v1/integrations/${dlq.integration}/runs?status=running`;
  await expect.poll(async () => (await api.call<{ items: Run[] }>("GET", running)).items).toEqual([]);
  const paused = await dlq.job(job.id);
  expect(paused.status).toBe("paused");
  expect(paused.progress.done).toBeLessThan(200);
  await api.call("POST", `/v1/jobs/${job.id}/resume`);
  await expect
    .poll(async () => (await dlq.job(job.id)).progress.done, { interval: 20 })
    .toBeGreaterThan(paused.progress.done);
  await api.call("POST", `/v1/jobs/${job.id}/cancel`);
  await expect.poll(async () => (await api.call<{ items: Run[] }>("GET", running)).items).toEqual([]);
  const cancelled = await dlq.job(job.id);
  expect(cancelled.status).toBe("cancelled");
  const rest = await dlq.ended(await dlq.replayAll());
  expect(rest.progress).toMatchObject({ total: 200 - cancelled.progress.passed, failed: 0 });
  expect(
    dlq
      .out()
      .map(({ id }) => id)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 200 }, (_, id) => id));
  const shown = await sluice(dlq.node, "dlq", "list", "people");
  expect(shown.code).toBe(0);
});
