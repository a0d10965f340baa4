import { mkdirSync } from "node:fs";
import { join, sep } from "node:path";
import { expect } from "vitest";
import { startNats, startPostgres } from "../../../adapters/embedded/index.ts";
import { clusterFolder } from "../../../adapters/embedded/postgres-cluster.ts";
import { postgresUser } from "../../../adapters/embedded/postgres-user.ts";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { Load } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import { SmallDisk } from "./small-disk.ts";

const patience = { timeout: 120_000, interval: 50 };
/** What a nats-server or a Postgres needs to start with, and some. */
const megabytes = 256;
/** Of reading: it must not be over before the disk is full. */
const seconds = 12;

/** Reads what the node says of its readiness until it is as wanted. */
async function untilReadyz(node: TestNode, status: number, text: RegExp): Promise<void> {
  const readyz = async () => {
    const answer = await node.api.text("/readyz");
    return answer.status === status && text.test(answer.text) ? "as wanted" : answer.text;
  };
  await expect.poll(readyz, patience).toBe("as wanted");
}

/** Has Postgres write on until it has no room for it: it made files ahead. */
async function untilNoRoom(url: string): Promise<void> {
  const write = () =>
    query(url, "SELECT pg_logical_emit_message(false, 'fill', 'up'); SELECT pg_switch_wal()").then(
      () => "written",
      () => "no room",
    );
  await expect.poll(write, patience).toBe("no room");
}

/** Disks that are full to the last byte in the middle of a run. */
export const disk: readonly Scenario[] = [
  {
    name: "disk-full-node",
    what: "the disk of the data folder, with its nats-server, is full; later there is room again",
    async run(stage) {
      const small = await SmallDisk.mount(join(stage.folder, "small"), megabytes, stage.atEnd);
      const node = await stage.node({ data: "small", env: { SLUICE_DATABASE_URL: await stage.database() } });
      const load = await Load.begin(stage, node, { database: await stage.database(), seconds });
      await load.reach(0.1 + 0.3 * stage.random());
      small.fill();
      // Sources pause, or wait for what nats-server had in hand and cannot write: then it is started again.
      const run = await load.until(({ waiting }) => waiting !== null && waiting !== undefined);
      expect(run.waiting, JSON.stringify(run)).toMatch(/nearly full|does not confirm|is away|not ready/);
      await untilReadyz(node, 503, /nearly full/);
      small.free();
      return { ...(await load.account(1, { ended: 0, cut: 1 })), notes: `waited: ${run.waiting}` };
    },
  },
  {
    name: "disk-full-nats",
    what: "the disk of a nats-server that is not the node's is full; then there is room, and it is started again",
    async run(stage) {
      const small = await SmallDisk.mount(join(stage.folder, "small"), megabytes, stage.atEnd);
      const nats = await startNats({ dataDir: small.folder, port: 0 });
      stage.atEnd(() => nats.stop());
      const node = await stage.node({
        env: { SLUICE_NATS_URL: nats.url, SLUICE_DATABASE_URL: await stage.database() },
      });
      const load = await Load.begin(stage, node, { database: await stage.database(), seconds });
      await load.reach(0.1 + 0.3 * stage.random());
      small.fill();
      const run = await load.until(({ waiting }) => /started again/.test(waiting ?? ""));
      expect(run.waiting, JSON.stringify(run)).toMatch(/log: .*full disk.* must be started again/);
      await untilReadyz(node, 503, /must be started again/);
      small.free();
      process.kill(nats.pid as number, "SIGTERM");
      return await load.account(1, { ended: 0, cut: 1 });
    },
  },
  {
    name: "disk-full-postgres",
    what: "the disk of the Postgres that sluice keeps its state in is full; later there is room again",
    async run(stage) {
      const small = await SmallDisk.mount(join(stage.folder, "small"), megabytes, stage.atEnd);
      const dataDir = join(small.folder, "store");
      mkdirSync(dataDir, { mode: 0o711 });
      const postgres = await startPostgres({ dataDir, port: 0 });
      stage.atEnd(() => postgres.stop());
      const cluster = clusterFolder(join(dataDir, "postgres"), postgresUser);
      if (!cluster.startsWith(small.folder + sep)) throw new Error(`Postgres is at ${cluster}, not on the small disk`);
      const node = await stage.node({ env: { SLUICE_DATABASE_URL: postgres.url } });
      const load = await Load.begin(stage, node, { database: await stage.database(), seconds });
      await load.reach(0.1 + 0.3 * stage.random());
      small.fill();
      await untilNoRoom(postgres.url);
      await untilReadyz(node, 503, /the store is away/);
      small.free();
      return await load.account(1, { ended: 0, cut: 1 });
    },
  },
];
