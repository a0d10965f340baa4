import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { expect } from "vitest";
import { startPostgres } from "../../../adapters/embedded/index.ts";
import { freePort } from "../../../adapters/embedded/ports.ts";
import { clusterFolder } from "../../../adapters/embedded/postgres-cluster.ts";
import { postgresUser } from "../../../adapters/embedded/postgres-user.ts";
import { startServer } from "../../jetstream/server.ts";
import { sluice } from "../../support/cli.ts";
import { copyFolder } from "../../support/copy-folder.ts";
import type { TestNode } from "../../support/node.ts";
import { Increments, told } from "./increments.ts";
import type { Account, Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** A load of one destination and one of two, of which a run has ended whole. */
async function begin(
  stage: Stage,
  node: TestNode,
  rate = stage.scale === "short" ? 10_000 : 20_000,
): Promise<Increments[]> {
  const database = await stage.database();
  const flows = [
    await Increments.make(node, { database, tables: 1, rate }),
    await Increments.make(node, { database, tables: 2, rate }),
  ];
  await Promise.all(
    flows.map(async (flow) => {
      await flow.grow(sizes(stage).first);
      expect(await flow.runAndWait()).toMatchObject({ status: "partial" });
    }),
  );
  return flows;
}

function sizes({ records }: Stage): { readonly first: number; readonly all: number } {
  return { first: Math.floor(records / 4), all: records };
}

/** Runs that are somewhere in the middle. */
async function strikeInTheMiddle(stage: Stage, flows: readonly Increments[]): Promise<string[]> {
  const { first, all } = sizes(stage);
  return await Promise.all(
    flows.map(async (flow) => {
      await flow.grow(all);
      const id = await flow.begin();
      // A table that is held lets no more than its credit pass.
      const records = Math.min((0.1 + 0.5 * stage.random()) * (all - first), 9_000);
      expect(await flow.reached(id, records)).toMatchObject({ status: "running" });
      return id;
    }),
  );
}

/** Each run has failed with a reason that stands in the integration's health too. */
async function failed(
  node: TestNode,
  flows: readonly Increments[],
  runs: readonly string[],
  kind: string,
  reason: RegExp,
): Promise<void> {
  const stopped = { health: "stopped", health_reason: expect.stringMatching(reason) };
  await Promise.all(
    flows.map(async (flow, i) => {
      const run = await flow.ended(runs[i] as string);
      expect(run).toMatchObject({ status: "failed", error: { message: expect.stringMatching(reason) } });
      await told(node, kind, flow.name);
      await expect.poll(() => flow.integration(), { timeout: 60_000 }).toMatchObject(stopped);
    }),
  );
}

/** The next run makes it good. */
async function mended(flows: readonly Increments[]): Promise<void> {
  await Promise.all(
    flows.map(async (flow) => {
      expect((await flow.runAndWait()).status).toMatch(/^(success|partial)$/);
      // It is said until somebody has seen it.
      await expect.poll(async () => (await flow.integration()).health, { timeout: 60_000 }).toBe("degraded");
      await flow.seen();
      await expect.poll(async () => (await flow.integration()).health, { timeout: 60_000 }).toBe("ok");
    }),
  );
}

async function account(flows: readonly Increments[], faults: number): Promise<Account> {
  const counted = await Promise.all(flows.map((flow) => flow.count()));
  const sum = (field: "records" | "lost" | "duplicated") => counted.reduce((total, each) => total + each[field], 0);
  return { records: sum("records"), faults, lost: sum("lost"), duplicated: sum("duplicated"), allowed: 0 };
}

/** Deletes what nats-server has of all streams, or of those whose names begin so. */
function loseStreams(node: TestNode, prefix = ""): void {
  const lost = streamsOf(node).filter((name) => name.startsWith(prefix));
  expect(lost.length).toBeGreaterThan(0);
  for (const name of lost) rmSync(join(streamsFolder(node), name), { recursive: true, force: true });
}

function deliverLogs(node: TestNode): string[] {
  return streamsOf(node).filter((name) => name.startsWith("SLUICE_OUT_"));
}

function streamsOf(node: TestNode): string[] {
  return readdirSync(streamsFolder(node));
}

function streamsFolder({ dataDir }: TestNode): string {
  return join(dataDir, "nats", "jetstream", "$G", "streams");
}

/** Keeps everybody else from a load's last table until it is called. */
async function held(stage: Stage, { database, tables }: Increments): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  const release = () => client.end();
  stage.atEnd(release);
  await client.query(`BEGIN; LOCK TABLE "${tables.at(-1)}" IN ACCESS EXCLUSIVE MODE`);
  return release;
}

async function untilUp(node: TestNode): Promise<void> {
  const ready = async () => (await node.api.request("GET", "/readyz")).status;
  await expect.poll(ready, { timeout: 60_000, interval: 50 }).toBe(200);
}

const lost = /its log was lost/;
const older = /Postgres is older than the logs/;

/** Servers that come back without what they had confirmed. */
export const lostData: readonly Scenario[] = [
  {
    name: "nats-data-lost-down",
    what: "nats-server's data is deleted while the node is down in the middle of runs",
    async run(stage) {
      const node = await stage.node();
      const flows = await begin(stage, node);
      const broken = await strikeInTheMiddle(stage, flows);
      await node.kill();
      loseStreams(node);
      await node.start();
      await failed(node, flows, broken, "log_lost", lost);
      const { stdout } = await sluice(node, "doctor");
      expect(stdout).toMatch(/^warn +integrations .* is stopped: .*its log was lost/m);
      expect(stdout).toMatch(/^warn +lost data +log lost: /m);
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "nats-data-lost-up",
    what: "nats-server's data is deleted and it is killed while the node is up in the middle of runs",
    async run(stage) {
      const node = await stage.node();
      const flows = await begin(stage, node);
      const broken = await strikeInTheMiddle(stage, flows);
      // Before it is killed: the node starts it again at once, and it would have the streams that it finds.
      process.kill(node.serverPid("nats") as number, "SIGSTOP");
      loseStreams(node);
      const killed = node.killServer("nats");
      await expect.poll(() => node.serverPid("nats") !== killed, { timeout: 60_000, interval: 20 }).toBe(true);
      await untilUp(node);
      await failed(node, flows, broken, "log_lost", lost);
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "deliver-log-lost",
    what: "the logs between steps and destinations are deleted while the node is down",
    async run(stage) {
      const node = await stage.node();
      const flows = (await begin(stage, node)).slice(1);
      // One destination takes nothing meanwhile: what it is to have is in the log that is lost.
      const release = await held(stage, flows[0] as Increments);
      const broken = await strikeInTheMiddle(stage, flows);
      await node.kill();
      loseStreams(node, "SLUICE_OUT_");
      await release();
      await node.start();
      await failed(
        node,
        flows,
        broken,
        "deliver_log_lost",
        /the log of what it had passed on to its destinations was lost/,
      );
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "nats-data-older",
    what: "nats-server's data is put back to an earlier state while the node is down",
    async run(stage) {
      const node = await stage.node();
      const flows = await begin(stage, node);
      await node.stop();
      const data = join(node.dataDir, "nats", "jetstream");
      await copyFolder(data, `${data}.then`);
      await node.start();
      const broken = await strikeInTheMiddle(stage, flows);
      await node.kill();
      await copyFolder(`${data}.then`, data);
      await node.start();
      await failed(node, flows, broken, "log_older", /its log is older than what was settled/);
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "deliver-log-older",
    what: "the logs between steps and destinations are put back to an earlier state while the node is down",
    async run(stage) {
      const node = await stage.node();
      // Slow enough that the copy of the log is not the whole of it, however late it is made.
      const flows = (await begin(stage, node, sizes(stage).all / 8)).slice(1);
      const [flow] = flows as [Increments];
      const release = await held(stage, flow);
      await flow.grow(sizes(stage).all);
      const broken = await flow.begin();
      await flow.reached(broken, 1_000);
      await node.kill();
      const then = join(node.folder, "then");
      for (const name of deliverLogs(node)) await copyFolder(join(streamsFolder(node), name), join(then, name));
      await node.start();
      const { records_in } = await flow.until(broken, () => true);
      await flow.reached(broken, records_in + 1_000);
      await node.kill();
      for (const name of deliverLogs(node)) await copyFolder(join(then, name), join(streamsFolder(node), name));
      await release();
      await node.start();
      await failed(node, flows, [broken], "deliver_log_older", /passed on to its destinations has lost its end/);
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "nats-data-older-up",
    what: "nats-server's data is put back to an earlier state of the same runs, under a node that is up",
    async run(stage) {
      const nats = await startServer({ folder: join(stage.folder, "nats") });
      stage.atEnd(() => nats.remove());
      const node = await stage.node({ env: { SLUICE_NATS_URL: nats.url } });
      // Slow enough that both runs are under way until their logs have lost something.
      const flows = await begin(stage, node, sizes(stage).all / 8);
      const runs = await Promise.all(flows.map((flow) => flow.grow(sizes(stage).all).then(() => flow.begin())));
      await Promise.all(flows.map((flow, i) => flow.reached(runs[i] as string, 1_000)));
      await nats.kill();
      const data = join(nats.folder, "jetstream");
      await copyFolder(data, `${data}.then`);
      await nats.start();
      await Promise.all(
        flows.map(async (flow, i) => {
          const { records_in } = await flow.until(runs[i] as string, () => true);
          await flow.reached(runs[i] as string, records_in + 1_000);
        }),
      );
      await nats.kill();
      await copyFolder(`${data}.then`, data);
      await nats.start();
      await failed(node, flows, runs, "log_older", /its log is older than what was settled/);
      await mended(flows);
      return await account(flows, 1);
    },
  },
  {
    name: "postgres-older-down",
    what: "Postgres is put back to a state in the middle of a run, of which the logs have the end",
    async run(stage) {
      const node = await stage.node();
      const flows = await begin(stage, node);
      const broken = await strikeInTheMiddle(stage, flows);
      await node.kill();
      const then = join(dirname(node.cluster), "then");
      stage.atEnd(() => rmSync(then, { recursive: true, force: true }));
      await copyFolder(node.cluster, then);
      await node.start();
      for (const [i, flow] of flows.entries()) {
        expect(await flow.ended(broken[i] as string)).toMatchObject({ status: "partial" });
        // The run in the middle of which Postgres was copied is not the last one in the log any more.
        expect((await flow.runAndWait()).status).toMatch(/^(success|partial)$/);
      }
      const later = await Increments.make(node, { database: (flows[0] as Increments).database, tables: 1, rate: 0 });
      await later.grow(1_000);
      expect(await later.runAndWait()).toMatchObject({ status: "success" });
      await node.kill();
      await copyFolder(then, node.cluster);
      await node.start();
      await failed(node, flows, broken, "store_older", older);
      await mended(flows);
      await told(node, "integration_forgotten", later.id);
      expect(streamsOf(node)).toContain(`SLUICE_IN_${later.id.replaceAll("-", "")}`);
      return await account(flows, 1);
    },
  },
  {
    name: "postgres-older-up",
    what: "Postgres is put back to an earlier state under a node that is up, which goes on with its runs",
    async run(stage) {
      const dataDir = join(stage.folder, "store");
      mkdirSync(dataDir, { mode: 0o711 });
      const port = await freePort();
      let postgres = await startPostgres({ dataDir, port });
      stage.atEnd(() => postgres.stop());
      const node = await stage.node({ env: { SLUICE_DATABASE_URL: postgres.url } });
      const cluster = clusterFolder(join(dataDir, "postgres"), postgresUser);
      const then = join(dirname(cluster), "then");
      stage.atEnd(() => rmSync(then, { recursive: true, force: true }));
      const whileDown = async (work: () => Promise<void>) => {
        await postgres.stop();
        await work();
        postgres = await startPostgres({ dataDir, port });
      };
      const flows = await begin(stage, node);
      const runs = await strikeInTheMiddle(stage, flows);
      await whileDown(() => copyFolder(cluster, then));
      const later = await Increments.make(node, { database: (flows[0] as Increments).database, tables: 1, rate: 0 });
      await later.grow(1_000);
      expect(await later.runAndWait()).toMatchObject({ status: "success" });
      const { first, all } = sizes(stage);
      for (const [i, flow] of flows.entries()) await flow.reached(runs[i] as string, 0.8 * (all - first));
      await whileDown(() => copyFolder(then, cluster));
      for (const [i, flow] of flows.entries()) {
        // Its log still has the whole of it: it goes on from what Postgres remembers.
        expect(await flow.ended(runs[i] as string)).toMatchObject({ status: "partial" });
        await told(node, "store_older", flow.name);
      }
      // What was made since is not taken for deleted.
      await told(node, "integration_forgotten", later.id);
      expect(streamsOf(node)).toContain(`SLUICE_IN_${later.id.replaceAll("-", "")}`);
      await mended(flows);
      return await account(flows, 1);
    },
  },
];
