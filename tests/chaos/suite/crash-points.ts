import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { Load } from "./load.ts";
import type { Account, Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** On the way of a record through a node, in its order; what is "after" is after the server or destination confirmed it. */
export type CrashPoint =
  | "before-append"
  | "after-append"
  | "before-deliver-append"
  | "after-deliver-append"
  | "before-write"
  | "after-write"
  | "before-commit"
  | "after-commit"
  | "after-ack"
  | "before-complete"
  | "after-complete";

const preload = fileURLToPath(new URL("crash-point.ts", import.meta.url));
/** Of reading, while the node is up: it must not be over before the last crash. */
const seconds = { short: 8, long: 30 };
/** How often a point is passed before the crash, at most: it comes soon, and not always at the first batch. */
const passagesMax = 6;
/**
 * In hand and not committed when a node crashes, in messages: 16 that were taken, and as many that were settled since the
 * last commit. A file that is appended to may have them twice.
 */
const messagesInHand = 32;
const messagesPerSecond = 20;

function crashesAt(name: string, what: string, points: readonly CrashPoint[]): Scenario {
  return {
    name,
    what,
    async run(stage) {
      const file = join(stage.folder, "crash-point");
      const node = await stage.node({ env: { CRASH_POINT: file }, nodeOptions: ["--import", preload] });
      await query(node.databaseUrl(), "CREATE DATABASE landing");
      const options = { database: node.databaseUrl("landing"), seconds: seconds[stage.scale] };
      const loads = [
        await Load.begin(stage, node, { ...options, to: ["table"] }),
        await Load.begin(stage, node, { ...options, to: ["file"] }),
        await Load.begin(stage, node, options),
        await Load.begin(stage, node, { ...options, to: ["file"], mode: "append" }),
      ];
      const crashes = await crashAt(node, file, points, stage);
      const batch = Math.ceil(stage.records / options.seconds / messagesPerSecond);
      const accounts: Account[] = [];
      for (const [i, load] of loads.entries()) {
        accounts.push(await load.account(crashes, i === 3 ? crashes * messagesInHand * batch : 0));
      }
      // Each of them by itself: what one may have twice is no excuse for another.
      for (const { duplicated, allowed } of accounts) expect(duplicated).toBeLessThanOrEqual(allowed);
      const sum = (of: "records" | "lost" | "duplicated" | "allowed") =>
        accounts.reduce((total, account) => total + account[of], 0);
      return {
        records: sum("records"),
        faults: crashes,
        lost: sum("lost"),
        duplicated: sum("duplicated"),
        allowed: sum("allowed"),
      };
    },
  };
}

/** Has the node crash at each of the points in turn. How often it did. */
async function crashAt(node: TestNode, file: string, points: readonly CrashPoint[], stage: Stage): Promise<number> {
  for (const point of points) {
    // The last things that a run does are done once.
    const passages = point.endsWith("-complete") ? 1 : 1 + Math.floor(stage.random() * passagesMax);
    writeFileSync(file, `${point} ${passages}`);
    await node.kill();
    await node.start();
    await expect.poll(() => node.alive, { timeout: 120_000, interval: 20, message: point }).toBe(false);
  }
  expect(readFileSync(`${file}.reached`, "utf8").trim().split("\n")).toEqual(points);
  rmSync(file);
  await node.kill();
  await node.start();
  return points.length;
}

/** kill -9 of a node by its own hand at the points that matter. */
export const crashPoints: readonly Scenario[] = [
  crashesAt("crash-append", "kill -9 of the node before and after it appends, to either log", [
    "before-append",
    "after-append",
    "before-deliver-append",
    "after-deliver-append",
  ]),
  crashesAt("crash-write", "kill -9 of the node before and after it writes to a destination, and completes it", [
    "before-write",
    "after-write",
    "before-complete",
    "after-complete",
  ]),
  crashesAt("crash-commit", "kill -9 of the node between write and commit, commit and acknowledgement, and after it", [
    "before-commit",
    "after-commit",
    "after-ack",
  ]),
];
