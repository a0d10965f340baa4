import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TokenStore } from "../../runtime/ports/store.ts";

export interface Authenticator {
  /** The name of a bearer token of ours; null: it is none. */
  verify(token: string): Promise<string | null>;
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

/**
 * The token of this data folder: its file `token`, readable by its owner alone, made at the first start. Known to the
 * store when this returns, as its SHA-256.
 */
export async function ensureToken(dataDir: string, tokens: TokenStore): Promise<string> {
  const file = path.join(dataDir, "token");
  const token = (await read(file)) ?? (await make(file));
  await tokens.add(hashOf(token), "data folder");
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

/** How long a token that was found good is taken as such, so that not every request asks the store. */
const trustMs = 10_000;

/**
 * Looks tokens up by their SHA-256: what is compared is a hash that a caller cannot steer, so that the time a
 * comparison takes tells nothing about a token.
 */
export function createAuthenticator(tokens: TokenStore): Authenticator {
  const trusted = new Map<string, { readonly name: string; readonly until: number }>();
  return {
    async verify(token) {
      const hash = hashOf(token);
      const key = hash.toString("base64");
      const held = trusted.get(key);
      if (held !== undefined && held.until > performance.now()) return held.name;
      const name = await tokens.nameOf(hash);
      // As many entries as there are tokens that exist: what is refused is not kept.
      if (name === null) trusted.delete(key);
      else trusted.set(key, { name, until: performance.now() + trustMs });
      return name;
    },
  };
}
