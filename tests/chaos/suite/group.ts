import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { expect } from "vitest";
import { type ServerHandle, startNats } from "../../../adapters/embedded/index.ts";
import { TestNode } from "../../support/node.ts";
import { createDatabase } from "../../support/servers.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { samples } from "../../telemetry/support.ts";
import type { Load } from "./load.ts";
import type { Stage } from "./stage.ts";

type AtEnd = (end: () => unknown) => void;

const names = ["first", "second", "third"];
const patience = { timeout: 120_000, interval: 20 };

/** Nodes that share their integrations, on servers that are theirs alone. */
export class Group {
  readonly nodes: readonly TestNode[];
  /** Of the store, and of the loads' tables. */
  readonly database: string;

  constructor(nodes: readonly TestNode[], database: string) {
    this.nodes = nodes;
    this.database = database;
  }

  static async start(count: number, atEnd: AtEnd, natsUrl: string, more: NodeJS.ProcessEnv = {}): Promise<Group> {
    const folder = tempDir(atEnd);
    const database = await createDatabase(atEnd);
    const env = {
      SLUICE_NATS_URL: natsUrl,
      SLUICE_DATABASE_URL: database,
      SLUICE_MASTER_KEY: randomBytes(32).toString("base64"),
      ...more,
    };
    const started = names.slice(0, count).map((data) => TestNode.start({ folder, data, env, atEnd }));
    return new Group(await Promise.all(started), database);
  }

  get alive(): readonly TestNode[] {
    return this.nodes.filter((node) => node.alive);
  }

  /** Whoever answers. */
  get any(): TestNode {
    return this.alive[0] as TestNode;
  }

  /** The nodes that are down are started; all are looked at when the scenario is over. */
  async ready(stage: Stage): Promise<void> {
    await Promise.all(this.nodes.map((node) => (node.alive ? undefined : node.start())));
    for (const node of this.nodes) stage.watch(node);
  }

  /** The node that an integration is on, once one alone says so. */
  async ownerOf(load: Load): Promise<TestNode> {
    const { name } = await this.any.api.call<{ name: string }>("GET", `/v1/integrations/${load.id}`);
    let owners: readonly TestNode[] = [];
    const look = async () => {
      const owned = await Promise.all(this.alive.map(async (node) => ((await ownedBy(node)).has(name) ? [node] : [])));
      owners = owned.flat();
      return owners.length;
    };
    await expect.poll(look, patience).toBe(1);
    return owners[0] as TestNode;
  }

  /** Resolves when `node` takes the integration of a load for its own, whoever else does. */
  async takenBy(load: Load, node: TestNode): Promise<void> {
    const { name } = await node.api.call<{ name: string }>("GET", `/v1/integrations/${load.id}`);
    await expect.poll(async () => (await ownedBy(node)).has(name), patience).toBe(true);
  }

  other(node: TestNode): TestNode {
    return this.alive.find((each) => each !== node) as TestNode;
  }
}

/** Names of the integrations that a node takes for its own. */
export async function ownedBy(node: TestNode): Promise<ReadonlySet<string>> {
  const { text } = await node.api.text("/metrics");
  return new Set(samples(text, "sluice_credit_available").map(({ labels }) => labels.integration as string));
}

/** Seconds until more of a load is confirmed than now is, as `node` sees it. */
export async function untilNextRecord(load: Load, node: TestNode): Promise<number> {
  const begin = performance.now();
  const before = (await load.look(node)).records_out;
  await load.until(({ records_out }) => records_out > before, node);
  return (performance.now() - begin) / 1000;
}

/** The longest time in seconds, until the run's end, in which nothing of it was confirmed. */
export async function longestStall(load: Load, node: TestNode): Promise<number> {
  let [longest, confirmed, since] = [0, -1, performance.now()];
  await load.until(({ records_out }) => {
    const now = performance.now();
    if (confirmed >= 0) longest = Math.max(longest, now - since);
    if (records_out > confirmed) [confirmed, since] = [records_out, now];
    return false;
  }, node);
  return longest / 1000;
}

/** A nats-server for a group of its own, for all scenarios that share it. */
export async function ownNats(atEnd: AtEnd): Promise<ServerHandle> {
  const dataDir = tempDir(atEnd);
  mkdirSync(dataDir, { recursive: true });
  const server = await startNats({ dataDir, port: 0 });
  atEnd(() => server.stop());
  return server;
}
