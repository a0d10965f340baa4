import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "./cache-dir.ts";
import { buildWithGo, goProgram } from "./go-build.ts";
import type { MakeOptions } from "./make-options.ts";
import { downloadNatsServer } from "./nats-release.ts";
import { takePidLock } from "./pid-lock.ts";

const run = promisify(execFile);

/** The version that deploy/services/nats/go.mod pins. */
export const NATS_VERSION = "2.15.2";
const inGo = goProgram("nats-server", "nats", "github.com/nats-io/nats-server/v2");
/** Batch publish, message schedules and per-key TTL came with it. */
const OLDEST = [2, 14] as const;
/** A build takes about half a minute, longer on a slow machine. */
const OTHER_BUILD_MS = 15 * 60_000;

export interface NatsServerBinary {
  readonly path: string;
  /** As it says itself: `2.15.2`. */
  readonly version: string;
  readonly origin: "PATH" | "cache" | "built with Go" | "official release";
}

export interface FindOptions {
  /** Where builds are kept; the user's cache folder when left out. */
  readonly cache?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly progress?: ((line: string) => void) | undefined;
  /** How the official release is had. */
  readonly download?: (options: MakeOptions) => Promise<string>;
}

/**
 * A nats-server that is new enough: from PATH, from the user's cache, built with Go into that cache, or downloaded
 * into it, in this order.
 * @throws with every way to get one and why it did not work.
 */
export async function findNatsServer(options: FindOptions = {}): Promise<NatsServerBinary> {
  const { cache = cacheDir(), env = process.env, progress = () => undefined, download = downloadNatsServer } = options;
  const failures: string[] = [];

  const onPath = await versionOf("nats-server", env);
  if (onPath !== null && isNewEnough(onPath)) return { path: "nats-server", version: onPath, origin: "PATH" };
  failures.push(onPath === null ? "nats-server is not on PATH" : `nats-server on PATH is ${onPath}, too old`);

  const path = join(cache, `nats-server-${NATS_VERSION}-${process.platform}-${process.arch}`);
  const cached = async (origin: NatsServerBinary["origin"]): Promise<NatsServerBinary | null> => {
    const version = await versionOf(path, env);
    return version === null ? null : { path, version, origin };
  };
  const before = await cached("cache");
  if (before !== null) return before;

  mkdirSync(cache, { recursive: true });
  const lock = await takePidLock(`${path}.lock`, OTHER_BUILD_MS);
  try {
    const meanwhile = await cached("cache"); // made by the process that held the lock
    if (meanwhile !== null) return meanwhile;
    const ways = [
      { origin: "built with Go", make: (given: MakeOptions) => buildWithGo(inGo, given) },
      { origin: "official release", make: download },
    ] as const;
    for (const { origin, make } of ways) {
      const folder = mkdtempSync(`${path}.`);
      try {
        renameSync(await make({ version: NATS_VERSION, folder, env, progress }), path);
        const made = await cached(origin);
        if (made !== null) return made;
        failures.push(`${origin}: the result does not run here`);
      } catch (error) {
        failures.push(`${origin}: ${(error as Error).message}`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  } finally {
    lock.release();
  }
  throw new Error(
    `no nats-server ${OLDEST.join(".")} or later could be had:\n${failures.map((line) => `  - ${line}\n`).join("")}` +
      "Any one of these helps: set SLUICE_NATS_URL to a server that runs; put nats-server on PATH " +
      "(https://github.com/nats-io/nats-server/releases, or brew install nats-server); install Go 1.26 or later " +
      "(https://go.dev/dl) and have network for the first build.",
  );
}

/** `2.15.2` of `nats-server: v2.15.2`, or null. */
export function parseVersion(output: string): string | null {
  return /^nats-server: v(\d+\.\d+\.\d+\S*)/m.exec(output)?.[1] ?? null;
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

async function versionOf(file: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  try {
    return parseVersion((await run(file, ["--version"], { env })).stdout);
  } catch {
    return null;
  }
}
