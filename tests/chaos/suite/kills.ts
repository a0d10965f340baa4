import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { isAlive } from "../../../adapters/embedded/processes.ts";
import type { TestNode } from "../../support/node.ts";
import { writeProgram } from "../../support/noted-program.ts";
import { query } from "../../support/records.ts";
import { Load, shareOf } from "./load.ts";
import type { Scenario } from "./scenario.ts";

type Victim = "node" | "nats" | "postgres";

const names = { node: "the node", nats: "nats-server", postgres: "Postgres" };

/** kill -9 at random moments. */
const ofServers = (["node", "nats", "postgres"] as const).map(
  (victim): Scenario => ({
    name: `kill-${victim}`,
    what: `kill -9 of ${names[victim]} at random moments of a run`,
    async run(stage) {
      const node = await stage.node();
      await query(node.databaseUrl(), "CREATE DATABASE landing");
      // tests/chaos/kill-node.test.ts kills nodes in other ways.
      const times = stage.scale === "long" ? 6 : victim === "node" ? 1 : 2;
      const load = await Load.begin(stage, node, { database: node.databaseUrl("landing") });
      for (let n = 0; n < times; n++) {
        await load.reach(shareOf(n, times, stage.random));
        await kill(node, victim);
      }
      return await load.account(times, victim === "node" ? {} : { ended: 0, cut: times });
    },
  }),
);

const types = { generator: "plugged-generator", postgres: "plugged-postgres" };

const ofPlugins: Scenario = {
  name: "kill-plugin",
  what: "kill -9 of the plugins that a run reads from and writes to, at random moments",
  async run(stage) {
    const programs = join(stage.folder, "programs");
    const pids = (type: string) => join(stage.folder, `${type}.pids`);
    for (const [type, plugged] of Object.entries(types)) {
      const line = `exec '${process.execPath}' '${builtIn}' ${type} ${plugged}`;
      writeProgram(programs, plugged, `echo $$ >> '${pids(plugged)}'; ${line}`);
    }
    const node = await stage.node({ env: { SLUICE_PLUGIN_ROOTS: programs } });
    await query(node.databaseUrl(), "CREATE DATABASE landing");
    for (const plugged of Object.values(types)) {
      await node.api.call("POST", "/v1/plugins", { name: plugged, command: [plugged], memory: 512 });
      await expect.poll(() => stateOf(node, plugged), patience).toBe("ready");
    }
    const times = stage.scale === "long" ? 6 : 2;
    // What a plugin appends may come twice; here each record is to be there once.
    const load = await Load.begin(stage, node, { database: node.databaseUrl("landing"), kind: "upsert", types });
    for (let n = 0; n < times; n++) {
      await load.reach(shareOf(n, times, stage.random));
      for (const plugged of Object.values(types)) {
        // It may just be started again after the blow before.
        await expect.poll(() => alive(pids(plugged)), patience).not.toEqual([]);
        for (const pid of alive(pids(plugged))) process.kill(pid, "SIGKILL");
      }
    }
    return await load.account(times);
  },
};

export const kills: readonly Scenario[] = [...ofServers, ofPlugins];

const builtIn = fileURLToPath(new URL("../../plugin/programs/built-in.ts", import.meta.url));
const patience = { timeout: 60_000, interval: 50 };

const alive = (pids: string) => readFileSync(pids, "utf8").trim().split("\n").map(Number).filter(isAlive);

async function stateOf(node: TestNode, plugin: string): Promise<string> {
  const { state } = await node.api.call<{ state: { status: string } }>("GET", `/v1/plugins/${plugin}`);
  return state.status;
}

/** Resolves when it is up again. */
async function kill(node: TestNode, victim: Victim): Promise<void> {
  if (victim === "node") {
    await node.kill();
    await node.start();
    return;
  }
  const killed = node.killServer(victim);
  const again = async () => {
    const { status } = await node.api.request("GET", "/readyz");
    return node.serverPid(victim) !== killed && status === 200;
  };
  await expect.poll(again, { timeout: 60_000, interval: 50 }).toBe(true);
}
