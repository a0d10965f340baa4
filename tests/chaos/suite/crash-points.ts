import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { isAlive } from "../../../adapters/embedded/processes.ts";
import { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { Load } from "./load.ts";
import { type Account, type Scenario, sumOf } from "./scenario.ts";
import type { Stage } from "./stage.ts";

const appends = ["before-append", "after-append", "before-deliver-append", "after-deliver-append"] as const;
const writes = ["before-write", "after-write", "before-complete", "after-complete"] as const;
const commits = ["before-commit", "after-commit", "after-ack"] as const;

/** On the way of a record through a node; what is "after" is after the server or destination confirmed it. */
export type CrashPoint = (typeof appends | typeof writes | typeof commits)[number];

type Victim = "node" | "nats" | "postgres";

const preload = fileURLToPath(new URL("crash-point.ts", import.meta.url));
/** Of reading for each crash: it must not be over before the last one. It waits for the node, not for its servers. */
const secondsEach = { node: { short: 2, long: 7 }, nats: { short: 4, long: 8 }, postgres: { short: 4, long: 8 } };
/** How often a point is passed before the crash, at most: it comes soon, and not always at the first batch. */
const passagesMax = 6;
const patience = { timeout: 120_000, interval: 20 };

interface Crashing {
  readonly node: TestNode;
  /** Says where and when who dies. */
  readonly file: string;
  /** Of the tables. */
  readonly database: string;
}

function crashesAt(name: string, what: string, victim: Victim, pointsOf: (stage: Stage) => CrashPoint[]): Scenario {
  return {
    name,
    what,
    async run(stage) {
      const crashing = await stage.shared("crashing node", start);
      const { node, database } = crashing;
      stage.watch(node);
      const points = pointsOf(stage);
      const options = { database, seconds: points.length * secondsEach[victim][stage.scale] };
      const loads = [
        await Load.begin(stage, node, { ...options, kind: "upsert", to: ["table"] }),
        await Load.begin(stage, node, { ...options, kind: "strict", to: ["file"] }),
        await Load.begin(stage, node, { ...options, kind: "append", to: ["file"] }),
        await Load.begin(stage, node, options),
      ];
      await crashAt(crashing, victim, points, stage);
      const accounts: Account[] = [];
      const ends = victim === "node" ? {} : { ended: 0, cut: points.length };
      for (const load of loads) accounts.push(await load.account(points.length, ends));
      // Each of them by itself: what one may have twice is no excuse for another.
      for (const { duplicated, allowed } of accounts) expect(duplicated).toBeLessThanOrEqual(allowed);
      return { ...sumOf(accounts), faults: points.length };
    },
  };
}

async function start(atEnd: (end: () => unknown) => void): Promise<Crashing> {
  const folder = tempDir(atEnd);
  const file = join(folder, "crash-point");
  const node = await TestNode.start({ folder, env: { CRASH_POINT: file }, nodeOptions: ["--import", preload], atEnd });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  return { node, file, database: node.databaseUrl("landing") };
}

/** Has the victim crash at each of the points in turn. */
async function crashAt(
  { node, file }: Crashing,
  victim: Victim,
  points: readonly CrashPoint[],
  { random }: Stage,
): Promise<void> {
  rmSync(`${file}.reached`, { force: true });
  for (const point of points) {
    // The last things that a run does are done once.
    const passages = point.endsWith("-complete") ? 1 : 1 + Math.floor(random() * passagesMax);
    const pid = victim === "node" ? node.pid : (node.serverPid(victim) as number);
    writeFileSync(`${file}.next`, `${point} ${passages} ${pid}`);
    renameSync(`${file}.next`, file);
    await expect.poll(() => isAlive(pid), { ...patience, message: point }).toBe(false);
    rmSync(file);
    await up(node, victim);
  }
  expect(readFileSync(`${file}.reached`, "utf8").trim().split("\n")).toEqual(points);
}

/** A node is started; its servers it starts again itself. */
async function up(node: TestNode, victim: Victim): Promise<void> {
  if (victim === "node") {
    await node.kill();
    await node.start();
    return;
  }
  const ready = async () => {
    const pid = node.serverPid(victim);
    return pid !== undefined && isAlive(pid) && (await node.api.request("GET", "/readyz")).status === 200;
  };
  await expect.poll(ready, patience).toBe(true);
}

/** All in the long form, one of each kind in the short one; in the order in which a record passes them. */
function drawn({ scale, random }: Stage): CrashPoint[] {
  const all = [appends, commits, writes.slice(0, 2), writes.slice(2)] as const;
  if (scale === "long") return [...appends, ...writes.slice(0, 2), ...commits, ...writes.slice(2)];
  return all.map((points) => points[Math.floor(random() * points.length)] as CrashPoint);
}

/** kill -9 at the points that matter, of the node by its own hand. */
export const crashPoints: readonly Scenario[] = [
  crashesAt("crash-append", "kill -9 of the node before and after it appends, to either log", "node", () => [
    ...appends,
  ]),
  crashesAt(
    "crash-write",
    "kill -9 of the node before and after it writes to a destination, and completes it",
    "node",
    () => [...writes],
  ),
  crashesAt(
    "crash-commit",
    "kill -9 of the node between write and commit, commit and acknowledgement, and after it",
    "node",
    () => [...commits],
  ),
  crashesAt(
    "crash-nats",
    "kill -9 of nats-server before and after appends, writes, commits and acknowledgements",
    "nats",
    drawn,
  ),
  crashesAt(
    "crash-postgres",
    "kill -9 of Postgres, the store's and a destination's, before and after appends, writes, commits and acknowledgements",
    "postgres",
    drawn,
  ),
];
