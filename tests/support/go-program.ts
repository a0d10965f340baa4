import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../../adapters/embedded/cache-dir.ts";
import { buildWithGo, type GoProgram } from "../../adapters/embedded/go-build.ts";
import { takePidLock } from "../../adapters/embedded/pid-lock.ts";

const OTHER_BUILD_MS = 20 * 60_000;

/** A server that tests need, which is built once and kept outside of the clone. */
export interface CachedProgram {
  readonly inGo: GoProgram;
  readonly version: string;
  /** For the message of what is missing: `The scenarios of broken networks`. */
  readonly neededBy: string;
}

export interface FindOptions {
  /** Where builds are kept; the user's cache folder when left out. */
  readonly cache?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Path of the program: from the user's cache, or built with Go into it. Throws with what is missing. */
export async function findGoProgram(
  { inGo, version, neededBy }: CachedProgram,
  { cache = cacheDir(), env = process.env }: FindOptions = {},
): Promise<string> {
  const path = join(cache, `${inGo.name}-${version}-${process.platform}-${process.arch}`);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const lock = await takePidLock(`${path}.lock`, OTHER_BUILD_MS);
  const folder = mkdtempSync(`${path}.`);
  try {
    // Else made by the process that held the lock.
    if (!existsSync(path)) {
      renameSync(await buildWithGo(inGo, { folder, env, progress: (line) => process.stderr.write(`${line}\n`) }), path);
    }
    return path;
  } catch (error) {
    throw new Error(
      `${inGo.name} ${version} cannot be built: ${(error as Error).message}. ` +
        `${neededBy} need it: install Go 1.26 or later (https://go.dev/dl, brew install go), ` +
        "and have network for the first build.",
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
    lock.release();
  }
}
