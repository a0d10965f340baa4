import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type ServerHandle, startNats, startPostgres } from "../../../adapters/embedded/index.ts";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { startToxiproxy, type Toxic, type ToxicProxy } from "../../support/toxiproxy.ts";
import { Load, shareOf } from "./load.ts";
import type { Scenario } from "./scenario.ts";
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
      const load = await Load.begin(stage, asked, { database: table.url, counted: table.counted, seconds });
      const broken = new Map<Target, Promise<void>>();
      for (let n = 0; n < times; n++) {
        const pick = <T>(all: readonly T[]): T => all[Math.floor(stage.random() * all.length)] as T;
        // Drawn before anything is waited for: the same whatever happens.
        const [at, target, ms] = [shareOf(n, times, stage.random), pick(targets), 200 + stage.random() * 5_000];
        const strike = pick(target.strikes);
        await load.reach(at, asked);
        await broken.get(target);
        broken.set(target, strike(ms));
      }
      await Promise.all(broken.values());
      return await load.account(times, 0, asked);
    },
  },
];

/** On servers of their own, with a proxy before each connection of each node. */
async function twoNodes(stage: Stage): Promise<{
  readonly nodes: readonly TestNode[];
  readonly targets: readonly Target[];
  readonly table: { readonly url: string; readonly counted: string };
}> {
  const dataDir = `${stage.folder}/servers`;
  mkdirSync(dataDir, { mode: 0o711 });
  const servers = await Promise.all([startNats({ dataDir, port: 0 }), startPostgres({ dataDir, port: 0 })]);
  for (const server of servers) stage.atEnd(() => server.stop());
  const [nats, postgres] = servers;
  await query(postgres.url, "CREATE DATABASE landing");
  const landing = postgres.url.replace(/[^/]*$/, "landing");
  const toxiproxy = await startToxiproxy(dataDir);
  stage.atEnd(() => toxiproxy.stop());
  const table = await toxiproxy.proxy("table", landing);
  const targets: Target[] = [server("nats-server", nats), server("Postgres", postgres), wire("table", table)];
  const nodes: TestNode[] = [];
  const key = randomBytes(32).toString("base64");
  for (const data of ["first", "second"]) {
    const toNats = await toxiproxy.proxy(`${data}-nats`, nats.url);
    const toStore = await toxiproxy.proxy(`${data}-store`, postgres.url);
    const env = { SLUICE_NATS_URL: toNats.url, SLUICE_DATABASE_URL: toStore.url, SLUICE_MASTER_KEY: key };
    const node = await stage.node({ data, env });
    nodes.push(node);
    targets.push(nodeTarget(data, node), wire(`${data}-nats`, toNats), wire(`${data}-store`, toStore));
  }
  return { nodes, targets, table: { url: table.url, counted: landing } };
}

/** It is started again by itself. */
function server(name: string, handle: ServerHandle): Target {
  const kill = async () => {
    if (handle.pid !== undefined) process.kill(handle.pid, "SIGKILL");
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
