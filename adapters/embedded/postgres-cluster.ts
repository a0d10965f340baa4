import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { canReach, type SystemUser } from "./postgres-user.ts";

export const SUPERUSER = "sluice";

export interface ClusterOptions {
  readonly cluster: string;
  /** Folder with `bin`. */
  readonly binaries: string;
  readonly password: string;
  readonly user: SystemUser | undefined;
  readonly progress: ((line: string) => void) | undefined;
}

/**
 * The cluster's folder: `data` in the server's folder, or, where the server's user cannot get there, one below
 * /var/lib/sluice, whose path is kept in the file `location` in the server's folder.
 */
export function clusterFolder(folder: string, userFor: (existing: string) => SystemUser | undefined): string {
  const note = join(folder, "location");
  if (existsSync(note)) return readFileSync(note, "utf8").trim();
  const inside = join(folder, "data");
  const user = userFor(inside);
  if (user === undefined || existsSync(inside) || canReach(user, inside)) return inside;
  const shared = process.platform === "darwin" ? "/usr/local/var/sluice" : "/var/lib/sluice";
  mkdirSync(shared, { recursive: true, mode: 0o755 });
  const id = createHash("sha256").update(folder).digest("hex").slice(0, 12);
  const own = mkdtempSync(join(shared, `${id}-`));
  chmodSync(own, 0o711);
  const outside = join(own, "data");
  writeFileSync(note, `${outside}\n`);
  return outside;
}

/**
 * Makes a cluster unless there is one: UTF-8, sorted by code point so that no system library decides the order,
 * entered by password only. Made aside and renamed, so that a set-up that was interrupted leaves no half of it.
 */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { cluster, binaries, password, user } = options;
  if (existsSync(cluster)) return;
  options.progress?.("making the Postgres cluster, once …");
  const fresh = `${cluster}.new`;
  const passwordFile = `${cluster}.password`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) for (const path of [fresh, passwordFile]) chownSync(path, user.uid, user.gid);
  const args = [
    ["--pgdata", fresh],
    ["--username", SUPERUSER, "--pwfile", passwordFile, "--auth", "scram-sha-256"],
    ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"],
    ["--no-instructions"],
  ].flat();
  try {
    await promisify(execFile)(join(binaries, "bin", "initdb"), args, { cwd: fresh, env: serverEnv(), ...user });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`the Postgres cluster ${cluster} could not be made: ${stderr?.trim() || error}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, cluster);
}

/** Nothing of the user's PG* settings or locale reaches the server. */
export function serverEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
}
