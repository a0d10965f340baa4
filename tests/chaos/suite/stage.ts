import { mkdirSync } from "node:fs";
import { type ServerHandle, startNats } from "../../../adapters/embedded/index.ts";
import { TestNode, type TestNodeOptions } from "../../support/node.ts";
import { createDatabase, uniqueName } from "../../support/servers.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { samples } from "../../telemetry/support.ts";
import { kindOf, type LoadKind } from "./load-kind.ts";

type End = () => unknown;

/** `short`: seconds, in every `verify`. `long`: `npm run chaos`. */
export type Scale = "short" | "long";

/** What a scenario is given. */
export interface Stage {
  readonly seed: number;
  readonly scale: Scale;
  /** From 0 to 1; the same ones for the same seed. */
  readonly random: () => number;
  /** The size of a load. */
  readonly records: number;
  /** What a load is like unless a scenario says so itself. */
  readonly kind: LoadKind;
  /** Those that there were. */
  readonly kinds: Set<LoadKind>;
  /** Of this run alone; its name has a space. */
  readonly folder: string;
  /** Called when the scenario is over, however it ended; last first. */
  atEnd(end: End): void;
  /**
   * The same for all scenarios that ask for it by this name: made for the first of them, ended with the suite, and made
   * anew after a scenario that failed.
   */
  shared<T>(name: string, make: (atEnd: (end: End) => void) => Promise<T>): Promise<T>;
  /** A node whose ledger must balance after the scenario if it lives then; ended with it unless said otherwise. */
  node(options?: TestNodeOptions): Promise<TestNode>;
  /** The same for a node that is there already. */
  watch(node: TestNode): void;
  /** A nats-server that is this scenario's alone: nodes on one server share their integrations. */
  nats(): Promise<ServerHandle>;
  /** A new database on the Postgres that all tests share, as its URL. */
  database(): Promise<string>;
}

/** The stage, and what is looked at and done with it when the scenario is over. */
export interface SetStage {
  readonly stage: Stage;
  /** Of each node that lives, what its ledgers cannot account for; 0 when they balance. */
  imbalance(): Promise<number>;
  end(): Promise<void>;
}

const loads = { short: 20_000, long: 200_000 };

export function setStage(scenario: string, seed: number, scale: Scale): SetStage {
  const ends: End[] = [];
  const nodes = new Set<TestNode>();
  const atEnd = (end: End) => void ends.push(end);
  const folder = tempDir(atEnd);
  const stage: Stage = {
    seed,
    scale,
    random: randomFrom(seed),
    records: Number(process.env.CHAOS_RECORDS ?? loads[scale]),
    kind: kindOf(scenario, seed, scale),
    kinds: new Set(),
    folder,
    atEnd,
    shared,
    async node(options = {}) {
      const node = await TestNode.start({ folder, atEnd, ...options });
      nodes.add(node);
      return node;
    },
    watch: (node) => void nodes.add(node),
    async nats() {
      const dataDir = `${folder}/${uniqueName("nats")}`;
      mkdirSync(dataDir);
      const server = await startNats({ dataDir, port: 0 });
      atEnd(() => server.stop());
      return server;
    },
    database: () => createDatabase(atEnd),
  };
  return {
    stage,
    async imbalance() {
      let sum = 0;
      for (const node of nodes) {
        if (!node.alive) continue;
        const { text } = await node.api.text("/metrics");
        for (const { value } of samples(text, "sluice_ledger_imbalance")) sum += Math.abs(value);
      }
      return sum;
    },
    end: () => endAll(ends),
  };
}

const sharedThings = new Map<string, Promise<unknown>>();
const sharedEnds: End[] = [];

function shared<T>(name: string, make: (atEnd: (end: End) => void) => Promise<T>): Promise<T> {
  let thing = sharedThings.get(name) as Promise<T> | undefined;
  if (thing === undefined) {
    thing = make((end) => void sharedEnds.push(end));
    sharedThings.set(name, thing);
  }
  return thing;
}

/** Ends what scenarios share. */
export async function endShared(): Promise<void> {
  sharedThings.clear();
  await endAll(sharedEnds);
}

async function endAll(ends: End[]): Promise<void> {
  const failures: unknown[] = [];
  for (const end of ends.splice(0).reverse()) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Mulberry32: seeds that are close to each other give numbers that are not. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let n = Math.imul(state ^ (state >>> 15), state | 1);
    n ^= n + Math.imul(n ^ (n >>> 7), n | 61);
    return ((n ^ (n >>> 14)) >>> 0) / 4_294_967_296;
  };
}
