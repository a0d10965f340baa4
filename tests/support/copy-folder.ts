import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A server's folder as it is now, beside it, or put back where it was. */
export async function copyFolder(from: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  // With owners and times, as Postgres wants its files.
  await run("cp", ["-Rp", from, to]);
}
