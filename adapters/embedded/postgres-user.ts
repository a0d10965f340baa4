import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname } from "node:path";

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Debian's and macOS's own, and ours. */
const KNOWN_USERS = ["sluice", "postgres", "_postgres"];

/**
 * Postgres refuses to run as root, so root gives it an unprivileged user: the owner of its files where they exist
 * already, else a known one, else a new system user `sluice`. Undefined when this process is not root.
 */
export function postgresUser(existingFolder: string): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(existingFolder, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of KNOWN_USERS) {
    const user = lookUp(name);
    if (user !== undefined) return user;
  }
  try {
    const args = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "sluice"];
    execFileSync("useradd", args, { stdio: "pipe" });
  } catch (error) {
    throw new Error(
      `Postgres does not run as root, and the system user "sluice" could not be made for it (${(error as Error).message}). ` +
        "Make it by hand, run sluice as another user, or set SLUICE_DATABASE_URL.",
    );
  }
  return lookUp("sluice");
}

/** Whether `user` may go through every folder on the way to `path`, which itself need not exist. */
export function canReach(user: SystemUser, path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (stats !== undefined && !mayEnter(user, stats)) return false;
    if (folder === dirname(folder)) return true;
  }
}

function mayEnter(user: SystemUser, stats: { uid: number; gid: number; mode: number }): boolean {
  if (stats.uid === user.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === user.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}

function lookUp(name: string): SystemUser | undefined {
  try {
    const id = (flag: string): number => Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: "pipe" }));
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined;
  }
}
