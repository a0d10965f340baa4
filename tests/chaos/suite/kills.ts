import { expect } from "vitest";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { Load, shareOf } from "./load.ts";
import type { Scenario } from "./scenario.ts";

type Victim = "node" | "nats" | "postgres";

const names = { node: "the node", nats: "nats-server", postgres: "Postgres" };

/** kill -9 at random moments. */
export const kills: readonly Scenario[] = (["node", "nats", "postgres"] as const).map((victim) => ({
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
    return await load.account(times);
  },
}));

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
