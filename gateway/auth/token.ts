import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ApiKeyStore } from "../../runtime/ports/identity.ts";
import { rowOf } from "./keys.ts";

/**
 * The token of this data folder: its file `token`, readable by its owner alone, made at the first start. Known to the
 * store when this returns, as its SHA-256, as an administrator's key.
 */
export async function ensureToken(dataDir: string, keys: ApiKeyStore): Promise<string> {
  const file = path.join(dataDir, "token");
  const token = (await read(file)) ?? (await make(file));
  const unbounded = { scopes: null, owner: null, expiresAt: null, rateLimit: 0 };
  await keys.ensure(rowOf(token, { name: "data folder", role: "admin", ...unbounded }));
  return token;
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written aside and linked: of nodes that start together one token wins, and none is seen half written. */
async function make(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  await writeFile(aside, `slc_${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx", flush: true });
  try {
    await link(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(aside);
  }
  return (await read(file))!;
}
