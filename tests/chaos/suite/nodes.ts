import { setTimeout as delay } from "node:timers/promises";
import type { TestNode } from "../../support/node.ts";
import { Group, ownNats, untilNextRecord } from "./group.ts";
import { Load } from "./load.ts";
import type { Account, Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** A member of the cluster is gone, and a message is given up, when nothing was heard for three seconds. */
const leaseMs = 3_000;

/** Three nodes on one nats-server and one Postgres. */
export const nodes: readonly Scenario[] = [
  {
    name: "failover",
    what: "kill -9 of the node that carries a run out; another one finishes it",
    async run(stage) {
      const group = await threeNodes(stage);
      const load = await begin(stage, group, {});
      const seconds: number[] = [];
      const times = stage.scale === "short" ? 1 : 4;
      for (let n = 0; n < times; n++) {
        await load.reach(((n + stage.random() * 0.5) / times) * 0.8, group.any);
        const owner = await group.ownerOf(load);
        await owner.kill();
        seconds.push(await untilNextRecord(load, group.any));
        await owner.start();
      }
      return { ...(await load.account(times, 0, group.any)), notes: `next record after ${list(seconds)} s` };
    },
  },
  {
    name: "drain",
    what: "SIGTERM of the node that carries a run out, and its return; a file is appended to",
    async run(stage) {
      const group = await threeNodes(stage);
      const times = stage.scale === "short" ? 2 : 6;
      const load = await begin(stage, group, { mode: "append", seconds: times * 3 });
      const seconds: number[] = [];
      for (let n = 0; n < times; n++) {
        // The rest of the load is for what comes after.
        await load.reach(((n + stage.random() * 0.5) / times) * 0.8, group.any);
        const owner = await group.ownerOf(load);
        const stopped = owner.stop();
        seconds.push(await untilNextRecord(load, group.other(owner)));
        await stopped;
        await owner.start();
      }
      return { ...(await load.account(times, 0, group.any)), notes: `next record after ${list(seconds)} s` };
    },
  },
  {
    name: "rolling-restart",
    what: "Three nodes are drained and started again, one after another, under load; files are appended to",
    async run(stage) {
      const group = await threeNodes(stage);
      const rounds = stage.scale === "short" ? 1 : 2;
      const loads: Load[] = [];
      for (const _ of group.nodes) loads.push(await begin(stage, group, { mode: "append", seconds: rounds * 9 }));
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
      for (const load of loads) accounts.push(await load.account(0, 0, group.any));
      return { ...sum(accounts), faults: restarts };
    },
  },
  {
    name: "pause-node",
    what: "SIGSTOP of the node that carries a run out, for longer than every lease; it wakes up and goes on",
    async run(stage) {
      const group = await threeNodes(stage);
      const loads = [await begin(stage, group, { seconds: 6 }), await begin(stage, group, { seconds: 6 })];
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
      for (const each of loads) accounts.push(await each.account(0, 0, paused));
      return { ...sum(accounts), faults: 1 };
    },
  },
];

/** Shared: starting them takes longer than most scenarios do. */
async function threeNodes(stage: Stage): Promise<Group> {
  const group = await stage.shared("three nodes", async (atEnd) => Group.start(3, atEnd, (await ownNats(atEnd)).url));
  await group.ready(stage);
  return group;
}

function begin(
  stage: Stage,
  group: Group,
  options: { readonly mode?: "append"; readonly seconds?: number },
): Promise<Load> {
  return Load.begin(stage, group.any, { database: group.database, ...options });
}

async function anyRuns(loads: readonly Load[], node: TestNode): Promise<boolean> {
  const runs = await Promise.all(loads.map((load) => load.look(node)));
  return runs.some(({ status }) => status === "running");
}

function sum(accounts: readonly Account[]): Account {
  const total = (field: "records" | "faults" | "lost" | "duplicated" | "allowed") =>
    accounts.reduce((all, account) => all + account[field], 0);
  return {
    records: total("records"),
    faults: total("faults"),
    lost: total("lost"),
    duplicated: total("duplicated"),
    allowed: total("allowed"),
  };
}

function list(seconds: readonly number[]): string {
  return seconds.map((each) => each.toFixed(1)).join(", ");
}
