import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { startNats } from "../../../adapters/embedded/index.ts";
import { TestNode } from "../../support/node.ts";
import { createDatabase } from "../../support/servers.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { startToxiproxy, type Toxic, type ToxicProxy } from "../../support/toxiproxy.ts";
import { Load, shareOf } from "./load.ts";
import type { Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** A node whose every connection goes through a proxy that can be broken. */
interface Wires {
  readonly node: TestNode;
  readonly nats: ToxicProxy;
  readonly store: ToxicProxy;
  readonly destination: ToxicProxy;
  /** The destination's Postgres, past the proxy. */
  readonly landing: string;
}

type Leg = "nats" | "store" | "destination";

const legs: { readonly [leg in Leg]: string } = {
  nats: "nats-server",
  store: "Postgres",
  destination: "a destination",
};

interface Fault {
  readonly name: string;
  /** Goes on with `and nats-server`. */
  readonly what: string;
  /** How often it is struck in a run. */
  readonly times: { readonly short: number; readonly long: number };
  /** Resolves when the network is whole again, with what was measured. */
  strike(wires: Wires, leg: Leg, stage: Stage, load: Load): Promise<string | undefined>;
  readonly delivery?: object;
  /** The connections stay as they are. */
  readonly endsNone?: true;
}

const faults: readonly Fault[] = [
  {
    name: "partition",
    what: "No connection between the node and",
    times: { short: 1, long: 4 },
    async strike(wires, leg, stage) {
      await wires[leg].disable();
      await hold(stage, 1_000, 8_000);
      await wires[leg].enable();
      return undefined;
    },
  },
  {
    name: "latency",
    what: "500 ms each way between the node and",
    times: { short: 1, long: 2 },
    endsNone: true,
    strike: (wires, leg, stage) =>
      toxic(wires[leg], { type: "latency", attributes: { latency: 500 } }, () => hold(stage, 2_000, 10_000)),
  },
  {
    name: "bandwidth",
    what: "1 kB/s for a while between the node and",
    times: { short: 1, long: 2 },
    strike: (wires, leg, stage) =>
      toxic(wires[leg], { type: "bandwidth", attributes: { rate: 1 } }, () => hold(stage, 2_000, 20_000)),
  },
  {
    name: "resets",
    what: "Connections reset again and again between the node and",
    times: { short: 5, long: 20 },
    strike: (wires, leg, stage) =>
      toxic(wires[leg], { type: "reset_peer", attributes: { timeout: Math.floor(stage.random() * 50) } }, () =>
        hold(stage, 100, 300),
      ),
  },
  {
    name: "half-open",
    what: "Connections that stay and carry nothing, until it is noticed, between the node and",
    times: { short: 1, long: 2 },
    strike: (wires, leg, _, load) =>
      toxic(wires[leg], { type: "timeout", attributes: { timeout: 0 } }, () => noticed(wires.node, leg, load)),
    delivery: { timeout: { connect: "2s", read: "3s", total: "5s" } },
  },
];

/** Each fault on each connection of a node. */
export const network: readonly Scenario[] = faults.flatMap((fault) =>
  (Object.keys(legs) as Leg[]).map((leg) => ({
    name: `${fault.name}-${leg}`,
    what: `${fault.what} ${legs[leg]}`,
    async run(stage: Stage) {
      const wires = await stage.shared("network", wire);
      stage.watch(wires.node);
      const times = fault.times[stage.scale];
      const load = await Load.begin(stage, wires.node, {
        database: wires.destination.url,
        counted: wires.landing,
        ...(fault.delivery && { delivery: fault.delivery }),
      });
      let notes: string | undefined;
      for (let n = 0; n < times; n++) {
        await load.reach(shareOf(n, times, stage.random));
        notes = await fault.strike(wires, leg, stage, load);
      }
      const cut = fault.endsNone ? 0 : times;
      const account = await load.account(times, {
        ended: 0,
        cut,
        ...(leg === "destination" && { targets: ["table"] }),
      });
      return { ...account, ...(notes !== undefined && { notes }) };
    },
  })),
);

async function wire(atEnd: (end: () => unknown) => void): Promise<Wires> {
  const folder = tempDir(atEnd);
  const servers = `${folder}/servers`;
  mkdirSync(servers);
  const server = await startNats({ dataDir: servers, port: 0 });
  atEnd(() => server.stop());
  const toxiproxy = await startToxiproxy(servers);
  atEnd(() => toxiproxy.stop());
  const landing = await createDatabase(atEnd);
  const nats = await toxiproxy.proxy("nats", server.url);
  const store = await toxiproxy.proxy("store", await createDatabase(atEnd));
  const destination = await toxiproxy.proxy("destination", landing);
  const env = {
    SLUICE_NATS_URL: nats.url,
    SLUICE_DATABASE_URL: store.url,
    SLUICE_MASTER_KEY: randomBytes(32).toString("base64"),
  };
  const node = await TestNode.start({ folder, env, atEnd });
  return { node, nats, store, destination, landing };
}

async function toxic<T>(proxy: ToxicProxy, kind: Toxic, during: () => Promise<T>): Promise<T> {
  const added = await proxy.add(kind);
  const result = await during();
  await added.remove();
  return result;
}

/** Keeps things as they are for a while: half of `short` to all of it, or of `long`, in milliseconds. */
async function hold(stage: Stage, short: number, long: number): Promise<undefined> {
  return await delay((stage.scale === "short" ? short : long) * (0.5 + stage.random() / 2));
}

interface Readiness {
  readonly parts: { readonly [part: string]: { readonly reason: string | null } };
}

/** Resolves when the node says by itself that the connection is of no use. */
async function noticed(node: TestNode, leg: Leg, load: Load): Promise<string> {
  const start = performance.now();
  const told = async (): Promise<string | null | undefined> => {
    if (leg === "destination") return (await load.look()).waiting;
    const { body } = await node.api.request<Readiness>("GET", "/readyz");
    return body.parts[leg === "nats" ? "nats" : "settlement"]?.reason;
  };
  const patterns = { nats: /is away/, store: /is away/, destination: /./ };
  await expect.poll(told, { timeout: 120_000, interval: 100 }).toMatch(patterns[leg]);
  return `noticed after ${((performance.now() - start) / 1000).toFixed(1)} s`;
}
