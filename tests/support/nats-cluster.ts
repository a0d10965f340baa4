import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findNatsServer } from "../../adapters/embedded/nats-server.ts";
import { freePort } from "../../adapters/embedded/ports.ts";

type AtEnd = (end: () => unknown) => void;

/** How a server reaches the others: their addresses for its routes, by its own and by all cluster ports. */
export type Routes = (from: number, ports: readonly number[]) => Promise<readonly number[]> | readonly number[];

const patienceMs = 120_000;
const monitorMs = 2_000;
const relaunchMs = 200;

/** One server of a cluster, which may die, be paused and be started again. */
export class ClusterServer {
  readonly name: string;
  /** `nats://127.0.0.1:port` */
  readonly url: string;
  readonly #binary: string;
  readonly #config: string;
  readonly #monitor: number;
  #child: ChildProcess | undefined;

  constructor(options: { name: string; binary: string; config: string; port: number; monitor: number }) {
    this.name = options.name;
    this.url = `nats://127.0.0.1:${options.port}`;
    this.#binary = options.binary;
    this.#config = options.config;
    this.#monitor = options.monitor;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** Tried again where it ends by itself: while it was down, a connection of another test may have taken its port. */
  launch(): void {
    const child = spawn(this.#binary, ["--config", this.#config], { stdio: "ignore" });
    this.#child = child;
    child.once("exit", () => {
      setTimeout(() => {
        if (this.#child === child) this.launch();
      }, relaunchMs);
    });
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    // One that is paused dies of it, too.
    child.kill("SIGKILL");
    await gone;
  }

  /** The names of leader and peers of the group that places streams, as this server sees it; undefined while it has none. */
  async meta(): Promise<{ readonly leader: string; readonly current: number } | undefined> {
    const { meta_cluster: meta } = (await this.#ask("/jsz")) as {
      meta_cluster?: { leader?: string; replicas?: readonly { current: boolean; offline?: boolean }[] };
    };
    if (!meta?.leader) return undefined;
    const current = (meta.replicas ?? []).filter(({ current, offline }) => current && !offline).length + 1;
    return { leader: meta.leader, current };
  }

  /** Streams of which it is the leader. */
  async leads(): Promise<readonly string[]> {
    const { account_details: accounts = [] } = (await this.#ask("/jsz?streams=true&accounts=true")) as {
      account_details?: readonly {
        stream_detail?: readonly { name: string; cluster?: { leader?: string } }[];
      }[];
    };
    const streams = accounts.flatMap(({ stream_detail: details = [] }) => details);
    return streams.filter(({ cluster }) => cluster?.leader === this.name).map(({ name }) => name);
  }

  /** Names of the connections to it. */
  async clients(): Promise<readonly string[]> {
    const { connections = [] } = (await this.#ask("/connz")) as { connections?: readonly { name?: string }[] };
    return connections.map(({ name = "" }) => name);
  }

  /** What is not up to date of all that it keeps; undefined: nothing. */
  async ailment(): Promise<string | undefined> {
    const { status, error = status } = (await this.#ask("/healthz")) as { status?: string; error?: string };
    return status === "ok" ? undefined : `${this.name}: ${error}`;
  }

  async #ask(path: string): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.#monitor}${path}`, { signal: AbortSignal.timeout(monitorMs) });
    return await answer.json();
  }
}

/** Servers that keep copies of each other's streams. */
export class NatsCluster {
  readonly servers: readonly ClusterServer[];

  private constructor(servers: readonly ClusterServer[]) {
    this.servers = servers;
  }

  /** Resolves when all are up and have a leader. They leave syncing to nats-server's default, as users' do. */
  static async start(folder: string, atEnd: AtEnd, routesOf: Routes = (_, ports) => ports): Promise<NatsCluster> {
    const { path: binary } = await findNatsServer();
    const names = ["n1", "n2", "n3"];
    const ports: { client: number; cluster: number; monitor: number }[] = [];
    for (const _ of names) {
      ports.push({ client: await freePort(), cluster: await freePort(), monitor: await freePort() });
    }
    const clusterPorts = ports.map(({ cluster }) => cluster);
    const servers: ClusterServer[] = [];
    for (const [i, name] of names.entries()) {
      const { client, cluster, monitor } = ports[i] as (typeof ports)[number];
      const store = join(folder, name);
      mkdirSync(store, { recursive: true });
      const config = join(store, "nats.conf");
      const routes = (await routesOf(i, clusterPorts)).filter((_, to) => to !== i);
      writeFileSync(
        config,
        [
          `server_name: ${name}`,
          `listen: "127.0.0.1:${client}"`,
          `http: "127.0.0.1:${monitor}"`,
          `log_file: ${JSON.stringify(join(store, "nats.log"))}`,
          "max_payload: 8MB",
          `jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: 1PB }`,
          "cluster {",
          "  name: test",
          `  listen: "127.0.0.1:${cluster}"`,
          "  # Nobody is reached past the routes below.",
          '  cluster_advertise: "127.0.0.1:1"',
          `  routes: [${routes.map((port) => `"nats-route://127.0.0.1:${port}"`).join(", ")}]`,
          "}",
        ].join("\n"),
      );
      const server = new ClusterServer({ name, binary, config, port: client, monitor });
      atEnd(() => server.kill());
      server.launch();
      servers.push(server);
    }
    const cluster = new NatsCluster(servers);
    await cluster.whole();
    return cluster;
  }

  /** For `SLUICE_NATS_URL`. */
  get url(): string {
    return this.servers.map(({ url }) => url).join(",");
  }

  byName(name: string): ClusterServer {
    return this.servers.find((server) => server.name === name) as ClusterServer;
  }

  /** The server that places streams. */
  async metaLeader(): Promise<ClusterServer> {
    return this.byName((await this.#meta()).leader);
  }

  /** The server that leads a stream: it takes the appends. */
  async leaderOf(stream: string): Promise<ClusterServer> {
    return await until(`a leader of ${stream}`, async () => {
      const leads = await Promise.all(this.servers.map((server) => server.leads().catch((): readonly string[] => [])));
      return this.servers.find((_, i) => leads[i]?.includes(stream));
    });
  }

  /** The server that a node, by its id, is connected to. */
  async serverOf(nodeId: string): Promise<ClusterServer> {
    return await until(`connection of node ${nodeId}`, async () => {
      const clients = await Promise.all(
        this.servers.map((server) => server.clients().catch((): readonly string[] => [])),
      );
      return this.servers.find((_, i) => clients[i]?.includes(`sluice ${nodeId}`));
    });
  }

  /** Resolves when all servers are up and have caught up with each other. */
  async whole(): Promise<void> {
    await this.#meta();
    let ailing: (string | undefined)[] = [];
    const healthy = until("all servers healthy", async () => {
      ailing = (await Promise.all(this.servers.map((server) => server.ailment()))).filter(Boolean);
      return ailing.length === 0 ? true : undefined;
    });
    await healthy.catch((error: Error) => {
      throw new Error(`${error.message}: ${ailing.join("; ")}`);
    });
  }

  #meta(): Promise<{ readonly leader: string }> {
    return until("a meta leader that all follow", async () => {
      const metas = await Promise.all(this.servers.map((server) => server.meta()));
      const [first] = metas;
      const agreed = first !== undefined && metas.every((meta) => meta?.leader === first.leader);
      const whole = metas.some((meta) => meta?.current === this.servers.length);
      return agreed && whole ? first : undefined;
    });
  }
}

/** Asks until there is an answer; what throws has none yet. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await ask().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`no ${what} after ${patienceMs / 1000} s`);
    await delay(50);
  }
}
