import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type ServerHandle, startNats, startPostgres } from "../../../adapters/embedded/index.ts";
import { isAlive } from "../../../adapters/embedded/processes.ts";
import { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { startToxiproxy, type Toxic, type ToxicProxy } from "../../support/toxiproxy.ts";
import { Group, untilNextRecord } from "./group.ts";
import { Load, shareOf } from "./load.ts";
import { type Account, type Scenario, sumOf } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** What can be broken, whatever else is broken at that time; resolves when it is whole again after `ms`. */
interface Target {
  readonly name: string;
  readonly strikes: readonly ((ms: number) => Promise<void>)[];
}

const toxics: readonly Toxic[] = [
  { type: "latency", attributes: { latency: 500 } },
  { type: "bandwidth", attributes: { rate: 1 } },
  { type: "reset_peer", attributes: { timeout: 10 } },
  { type: "timeout", attributes: { timeout: 0 } },
];

export const everything: readonly Scenario[] = [
  {
    name: "everything",
    what: "Two nodes; nodes, servers and connections killed, paused, cut, slowed, reset and silent, several at once",
    async run(stage) {
      const { nodes, targets, table } = await twoNodes(stage);
      const times = stage.scale === "short" ? 5 : 30;
      const [asked] = nodes as [TestNode];
      const seconds = times * (stage.scale === "short" ? 1 : 2);
      const begin = () =>
        Load.begin(stage, asked, { database: table.url, counted: table.counted, seconds, fenced: true });
      const accounts: Account[] = [];
      let load = await begin();
      const broken = new Map<Target, Promise<void>>();
      for (let n = 0; n < times; n++) {
        const pick = <T>(all: readonly T[]): T => all[Math.floor(stage.random() * all.length)] as T;
        // Drawn before anything is waited for: the same whatever happens.
        const [at, target, ms] = [shareOf(n, times, stage.random), pick(targets), 200 + stage.random() * 5_000];
        const strike = pick(target.strikes);
        await broken.get(target);
        // Where nobody could be asked for long it may be over.
        if (!(await load.reaches(at, asked))) {
          accounts.push(await load.account(times, { node: asked }));
          load = await begin();
        }
        broken.set(target, strike(ms));
      }
      await Promise.all(broken.values());
      accounts.push(await load.account(times, { node: asked }));
      return { ...sumOf(accounts), faults: times };
    },
  },
  {
    name: "cut-off-owner",
    what: "The node that carries a run out is cut off from nats-server for longer than its lease, and comes back",
    async run(stage) {
      const { nodes, toNats, table } = await twoNodes(stage);
      const group = new Group(nodes, table.counted);
      const times = stage.scale === "short" ? 1 : 4;
      const load = await Load.begin(stage, group.any, { database: table.counted, seconds: times * 4, fenced: true });
      const seconds: number[] = [];
      for (let n = 0; n < times; n++) {
        await load.reach(shareOf(n, times, stage.random), group.any);
        const owner = await group.ownerOf(load);
        const wire = toNats[nodes.indexOf(owner)] as ToxicProxy;
        await wire.disable();
        const other = group.other(owner);
        const begin = performance.now();
        await group.takenBy(load, other);
        await untilNextRecord(load, other);
        seconds.push((performance.now() - begin) / 1000);
        await delay(stage.random() * leaseMs);
        await wire.enable();
      }
      const notes = `next record after ${seconds.map((each) => each.toFixed(1)).join(", ")} s`;
      return { ...(await load.account(times, { node: group.any })), notes };
    },
  },
];

/** A node that was not heard of for so long is gone. */
const leaseMs = 3_000;

interface TwoNodes {
  readonly nodes: readonly TestNode[];
  /** The connection of each node. */
  readonly toNats: readonly ToxicProxy[];
  readonly targets: readonly Target[];
  readonly table: { readonly url: string; readonly counted: string };
}

async function twoNodes(stage: Stage): Promise<TwoNodes> {
  const all = await stage.shared("two nodes", startTwo);
  for (const node of all.nodes) stage.watch(node);
  return all;
}

/** On servers of their own, with a proxy before each connection of each node. */
async function startTwo(atEnd: (end: () => unknown) => void): Promise<TwoNodes> {
  const folder = tempDir(atEnd);
  const dataDir = `${folder}/servers`;
  mkdirSync(dataDir, { mode: 0o711 });
  const servers = await Promise.all([startNats({ dataDir, port: 0 }), startPostgres({ dataDir, port: 0 })]);
  for (const server of servers) atEnd(() => server.stop());
  const [nats, postgres] = servers;
  await query(postgres.url, "CREATE DATABASE landing");
  const landing = postgres.url.replace(/[^/]*$/, "landing");
  const toxiproxy = await startToxiproxy(dataDir);
  atEnd(() => toxiproxy.stop());
  const table = await toxiproxy.proxy("table", landing);
  const targets: Target[] = [server("nats-server", nats), server("Postgres", postgres), wire("table", table)];
  const nodes: TestNode[] = [];
  const toNats: ToxicProxy[] = [];
  const key = randomBytes(32).toString("base64");
  for (const data of ["first", "second"]) {
    const wireToNats = await toxiproxy.proxy(`${data}-nats`, nats.url);
    const toStore = await toxiproxy.proxy(`${data}-store`, postgres.url);
    const env = { SLUICE_NATS_URL: wireToNats.url, SLUICE_DATABASE_URL: toStore.url, SLUICE_MASTER_KEY: key };
    const node = await TestNode.start({ folder, data, env, atEnd });
    nodes.push(node);
    toNats.push(wireToNats);
    targets.push(nodeTarget(data, node), wire(`${data}-nats`, wireToNats), wire(`${data}-store`, toStore));
  }
  return { nodes, toNats, targets, table: { url: table.url, counted: landing } };
}

/** It is started again by itself. */
function server(name: string, handle: ServerHandle): Target {
  const kill = async () => {
    // It may not be up again from the kill before.
    for (; ; await delay(50)) {
      const { pid } = handle;
      if (pid !== undefined && isAlive(pid)) return void process.kill(pid, "SIGKILL");
    }
  };
  return { name, strikes: [kill] };
}

function nodeTarget(name: string, node: TestNode): Target {
  const kill = async (ms: number) => {
    await node.kill();
    await delay(ms);
    // Not before the servers and connections that it starts with are there.
    for (;;) {
      try {
        return await node.start();
      } catch {
        await delay(200);
      }
    }
  };
  const pause = async (ms: number) => {
    const { pid } = node;
    process.kill(pid, "SIGSTOP");
    await delay(ms);
    process.kill(pid, "SIGCONT");
  };
  return { name, strikes: [kill, pause] };
}

function wire(name: string, proxy: ToxicProxy): Target {
  const cut = async (ms: number) => {
    await proxy.disable();
    await delay(ms);
    await proxy.enable();
  };
  const spoil = (toxic: Toxic) => async (ms: number) => {
    const added = await proxy.add(toxic);
    await delay(ms);
    await added.remove();
  };
  return { name, strikes: [cut, ...toxics.map(spoil)] };
}
