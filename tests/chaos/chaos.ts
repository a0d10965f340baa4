import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Run } from "../support/api.ts";
import type { TestNode } from "../support/node.ts";
import { kept } from "../support/records.ts";

/** What a test does to a node in the middle of a run. */
export type Blow = (node: TestNode) => Promise<void> | void;

export const killNode: Blow = async (node) => {
  await node.kill();
  await node.start();
};

/** The second time while it is starting. */
export const killNodeTwice =
  (random: () => number): Blow =>
  async (node) => {
    await node.kill();
    node.launch();
    await delay(random() * 2_000);
    await killNode(node);
  };

export interface Struck {
  readonly runs: readonly Run[];
  /** The node's highest resident memory in MB, of all its lives; 0 where the system does not tell. */
  readonly peakMb: number;
}

/**
 * Strikes `times` times while all of these runs are going on, at random moments spread over the whole of the fastest,
 * then waits for their ends. Fails where one of them ended before the last blow.
 */
export async function strike(
  node: TestNode,
  runIds: readonly string[],
  options: {
    readonly records: number;
    readonly times: number;
    readonly random: () => number;
    readonly blow: Blow;
    readonly timeout?: number;
  },
): Promise<Struck> {
  const { records, times, random, blow, timeout } = options;
  let peakMb = 0;
  for (let n = 0; n < times; n++) {
    // Not after the last tenth: reading runs ahead of the end of the run by less.
    const from = Math.floor(((n + random()) / times) * 0.9 * records);
    let runs: Run[] = [];
    const reached = async () => {
      runs = await Promise.all(runIds.map((id) => node.api.runById(id)));
      return runs.some(({ status, records_in }) => status !== "running" || records_in >= from);
    };
    await expect.poll(reached, { timeout: 150_000, interval: 25 }).toBe(true);
    for (const run of runs) expect(run, `before blow ${n + 1}`).toMatchObject({ status: "running" });
    peakMb = Math.max(peakMb, peakMemoryMb(node.pid));
    await blow(node);
  }
  const runs = await Promise.all(runIds.map((id) => node.api.ended(id, timeout)));
  return { runs, peakMb: Math.max(peakMb, peakMemoryMb(node.pid)) };
}

/** How a run of `copyRules` over `records` ends, to the record. */
export function wholeRun(records: number, destinations: readonly string[]) {
  const out = kept(records);
  return {
    status: "success",
    records_in: records,
    records_out: out * destinations.length,
    records_filtered: records - out,
    records_failed: 0,
    error: null,
    by_destination: Object.fromEntries(destinations.map((id) => [id, { out, failed: 0 }])),
  };
}

function peakMemoryMb(pid: number): number {
  if (process.platform !== "linux") return 0;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}
