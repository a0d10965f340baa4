import { setTimeout as delay } from "node:timers/promises";
import { type ClusterServer, NatsCluster } from "../../support/nats-cluster.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { startToxiproxy, type ToxicProxy } from "../../support/toxiproxy.ts";
import { Group, longestStall } from "./group.ts";
import { Load, shareOf } from "./load.ts";
import { type Account, type Scenario, sumOf } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** Two nodes on three nats-servers that keep three copies of each log. */
interface Clustered {
  readonly nats: NatsCluster;
  readonly group: Group;
  /** Between each two servers, one for each direction of dialling. */
  readonly routes: readonly { readonly from: number; readonly to: number; readonly proxy: ToxicProxy }[];
}

/** Breaks something; what it gives makes it whole again. */
type Blow = (clustered: Clustered, load: Load, stage: Stage) => Promise<() => Promise<unknown> | unknown>;

/** One after another in the long form. */
const rounds = { short: 1, long: 3 };

function scenario(name: string, what: string, blow: Blow): Scenario {
  return {
    name,
    what,
    async run(stage) {
      const clustered = await start(stage);
      const { group } = clustered;
      const accounts: Account[] = [];
      const stalls: string[] = [];
      for (let n = 0; n < rounds[stage.scale]; n++) {
        await clustered.nats.whole();
        const load = await Load.begin(stage, group.any, { database: group.database, seconds: 5, fenced: true });
        await load.reach(shareOf(0, 1, stage.random));
        const stall = longestStall(load, group.any);
        stall.catch(() => {}); // What fails is told by the account.
        const mend = await blow(clustered, load, stage);
        // Short or longer than a lease and than an election.
        await delay(1_000 + stage.random() * (stage.scale === "short" ? 6_000 : 12_000));
        await mend();
        accounts.push(await load.account(1));
        stalls.push((await stall).toFixed(1));
      }
      return { ...sumOf(accounts), notes: `at most ${stalls.join(", ")} s without a record` };
    },
  };
}

/** A cluster of three nats-servers: of three copies one may be away. */
export const cluster: readonly Scenario[] = [
  scenario("cluster-server", "One of three nats-servers is killed and started again", ({ nats }, _, stage) =>
    killed(pick(nats.servers, stage)),
  ),
  scenario("cluster-leader", "The nats-server that leads the log of a run is killed", async ({ nats }, load) =>
    killed(await nats.leaderOf(`SLUICE_IN_${load.id.replaceAll("-", "")}`)),
  ),
  scenario("cluster-meta-leader", "The nats-server that leads the cluster is killed", async ({ nats }) =>
    killed(await nats.metaLeader()),
  ),
  scenario(
    "cluster-connected",
    "The nats-server that a run's node is connected to is killed",
    async ({ nats, group }, load) => killed(await nats.serverOf((await group.ownerOf(load)).id)),
  ),
  scenario(
    "cluster-partition",
    "The nats-server that a run's node is connected to is cut off from the other two, not from the node",
    async ({ nats, group, routes }, load) => {
      const at = nats.servers.indexOf(await nats.serverOf((await group.ownerOf(load)).id));
      const cut = routes.filter(({ from, to }) => from === at || to === at);
      await Promise.all(cut.map(({ proxy }) => proxy.disable()));
      return () => Promise.all(cut.map(({ proxy }) => proxy.enable()));
    },
  ),
  scenario(
    "cluster-pause",
    "SIGSTOP of one of three nats-servers, which comes back with an old state",
    async ({ nats }, _, stage) => {
      const { pid } = pick(nats.servers, stage);
      process.kill(pid, "SIGSTOP");
      return () => process.kill(pid, "SIGCONT");
    },
  ),
];

async function killed(server: ClusterServer): Promise<() => void> {
  await server.kill();
  return () => server.launch();
}

function pick(servers: readonly ClusterServer[], { random }: Stage): ClusterServer {
  return servers[Math.floor(random() * servers.length)] as ClusterServer;
}

async function start(stage: Stage): Promise<Clustered> {
  const clustered = await stage.shared("nats cluster", async (atEnd): Promise<Clustered> => {
    const folder = tempDir(atEnd);
    const toxiproxy = await startToxiproxy(folder);
    atEnd(() => toxiproxy.stop());
    const routes: { from: number; to: number; proxy: ToxicProxy }[] = [];
    const nats = await NatsCluster.start(folder, atEnd, async (from, ports) => {
      const made = ports.map(async (port, to) => {
        const proxy = await toxiproxy.proxy(`route-${from}-${to}`, `nats://127.0.0.1:${port}`);
        routes.push({ from, to, proxy });
        return Number(new URL(proxy.url).port);
      });
      return await Promise.all(made);
    });
    return { nats, routes, group: await Group.start(2, atEnd, nats.url) };
  });
  await clustered.group.ready(stage);
  return clustered;
}
