import { execFile } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { ServerHandle } from "../../../adapters/embedded/index.ts";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { Group, ownNats, untilNextRecord } from "./group.ts";
import { Load, shareOf } from "./load.ts";
import { type Account, type Scenario, sumOf } from "./scenario.ts";
import type { Scale, Stage } from "./stage.ts";

/** A member of the cluster is gone, and a message is given up, when nothing was heard for three seconds. */
const leaseMs = 3_000;

/** Three nodes on one nats-server and one Postgres. */
export const nodes: readonly Scenario[] = [
  {
    name: "failover",
    what: "kill -9 of the node that carries a run out; another one finishes it",
    run: (stage) =>
      oneAfterAnother(stage, { rounds: { short: 1, long: 4 }, within: 5, end: (owner) => owner.kill(), ended: 1 }),
  },
  {
    name: "drain",
    what: "SIGTERM of the node that carries a run out, and its return; a file is appended to",
    run: (stage) =>
      oneAfterAnother(stage, {
        rounds: { short: 1, long: 6 },
        within: 2,
        kind: "append",
        end: (owner) => owner.stop(),
        ended: 0,
      }),
  },
  {
    name: "rolling-restart",
    what: "Three nodes are drained and started again, one after another, under load; files are appended to",
    async run(stage) {
      const group = await threeNodes(stage);
      const rounds = stage.scale === "short" ? 1 : 2;
      const loads: Load[] = [];
      for (const _ of group.nodes) loads.push(await begin(stage, group, { kind: "append", seconds: rounds * 9 }));
      await Promise.all(loads.map((load) => load.reach(0.02, group.any)));
      let restarts = 0;
      for (let round = 0; round < rounds; round++) {
        for (const node of group.nodes) {
          if (await anyRuns(loads, group.any)) restarts++;
          await node.stop();
          await node.start();
        }
      }
      const accounts = [];
      for (const load of loads) accounts.push(await load.account(restarts, { ended: 0, node: group.any }));
      return { ...sumOf(accounts), faults: restarts };
    },
  },
  {
    name: "pause-node",
    what: "SIGSTOP of the node that carries a run out, for longer than every lease; it wakes up and goes on",
    async run(stage) {
      const group = await threeNodes(stage);
      const options = { seconds: 6, fenced: true };
      const loads = [await begin(stage, group, options), await begin(stage, group, options)];
      const [load] = loads as [Load];
      await load.reach(stage.random() * 0.5, group.any);
      const paused = await group.ownerOf(load);
      const { pid } = paused;
      process.kill(pid, "SIGSTOP");
      try {
        const other = group.nodes.find((node) => node !== paused) as TestNode;
        await untilNextRecord(load, other);
        await delay(leaseMs + stage.random() * leaseMs);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      const accounts = [];
      // What was in hand is taken up by the next owner, and its writes that were under way arrive when the node wakes up.
      for (const each of loads) accounts.push(await each.account(1, { cut: 1, node: paused }));
      return { ...sumOf(accounts), faults: 1 };
    },
  },
  {
    name: "pause-nats",
    what: "SIGSTOP of nats-server, for longer than every lease",
    async run(stage) {
      const group = await threeNodes(stage);
      const loads = [await begin(stage, group, { kind: "append" }), await begin(stage, group, { fenced: true })];
      await (loads[0] as Load).reach(stage.random() * 0.5, group.any);
      await paused([group.nats.pid as number], stage);
      const accounts = [];
      for (const load of loads) accounts.push(await load.account(1, { ended: 0, node: group.any }));
      return { ...sumOf(accounts), faults: 1 };
    },
  },
  {
    name: "pause-postgres",
    what: "SIGSTOP of Postgres, the store's and a destination's, for longer than every lease",
    async run(stage) {
      const node = await stage.node();
      await query(node.databaseUrl(), "CREATE DATABASE landing");
      const load = await Load.begin(stage, node, { database: node.databaseUrl("landing") });
      await load.reach(stage.random() * 0.5);
      const postmaster = node.serverPid("postgres") as number;
      await paused([postmaster, ...(await childrenOf(postmaster))], stage);
      return await load.account(1, { ended: 0, cut: 1 });
    },
  },
];

/** For twenty seconds, in the short form for some more than a node is missed after, and a connection is given up. */
async function paused(pids: readonly number[], stage: Stage): Promise<void> {
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await delay(stage.scale === "short" ? 8_000 : 20_000);
  for (const pid of pids) process.kill(pid, "SIGCONT");
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("pgrep", ["-P", String(pid)]);
  return stdout.trim().split("\n").map(Number);
}

interface LoadOptions {
  readonly kind?: "append";
  readonly seconds?: number;
  readonly fenced?: boolean;
  readonly timed?: boolean;
}

interface Ending {
  readonly rounds: { readonly [scale in Scale]: number };
  /** Seconds until another node delivers, on a machine that has room for it. */
  readonly within: number;
  readonly kind?: "append";
  /** Ends the node that carries the run out. */
  readonly end: (owner: TestNode) => Promise<unknown>;
  /** Whether what was in hand comes again: 0 or 1. */
  readonly ended: number;
}

/** The owner is ended in the middle of each of several loads, and is started again when another one has gone on. */
async function oneAfterAnother(stage: Stage, { rounds, within, kind, end, ended }: Ending): Promise<Account> {
  const group = await threeNodes(stage);
  const accounts: Account[] = [];
  const took: string[] = [];
  for (let n = 0; n < rounds[stage.scale]; n++) {
    const load = await begin(stage, group, { seconds: 5, timed: true, ...(kind && { kind }) });
    await load.reach(shareOf(0, 1, stage.random), group.any);
    await load.landing(group.any);
    const owner = await group.ownerOf(load);
    const since = new Date();
    const [seconds] = await Promise.all([load.firstOfAnother(since), end(owner)]);
    const [perMinute] = loadavg() as [number];
    const isOverloaded = perMinute > 2 * availableParallelism();
    // In the short form nothing hangs on the clock.
    if (stage.scale === "long" && !isOverloaded) expect(seconds).toBeLessThanOrEqual(within);
    took.push(`${seconds.toFixed(1)} s${isOverloaded ? ` at load ${perMinute.toFixed(0)}` : ""}`);
    await owner.start();
    accounts.push(await load.account(1, { ended, node: group.any }));
  }
  return {
    ...sumOf(accounts),
    notes: `another node delivers after ${took.join(", ")} (${within} s at most where there is room)`,
  };
}

/** Shared: starting them takes longer than most scenarios do. */
async function threeNodes(stage: Stage): Promise<Group & { readonly nats: ServerHandle }> {
  const group = await stage.shared("three nodes", async (atEnd) => {
    const nats = await ownNats(atEnd);
    return Object.assign(await Group.start(3, atEnd, nats.url), { nats });
  });
  await group.ready(stage);
  return group;
}

function begin(stage: Stage, group: Group, options: LoadOptions): Promise<Load> {
  return Load.begin(stage, group.any, { database: group.database, ...options });
}

async function anyRuns(loads: readonly Load[], node: TestNode): Promise<boolean> {
  const runs = await Promise.all(loads.map((load) => load.look(node)));
  return runs.some(({ status }) => status === "running");
}
