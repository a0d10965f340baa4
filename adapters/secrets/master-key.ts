import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { SluiceError } from "../../runtime/errors/index.ts";
import { type KeyProvider, localKeys } from "./key-provider.ts";

const keyBytes = 32;

/**
 * The key-encryption keys: SLUICE_MASTER_KEY (32 bytes in base64; several, separated by commas, the newest first), else
 * the file `keys/master.key` of the data folder, made at the first start, a line for each, the newest first. Not in
 * `secrets/`, which a connector's config may refer to.
 */
export async function masterKeys(options: {
  readonly env: { readonly [name: string]: string | undefined };
  readonly dataDir: string;
  /** Told of each key. */
  readonly secret?: (key: string) => void;
}): Promise<KeyProvider> {
  const { secret = () => {} } = options;
  const given = options.env.SLUICE_MASTER_KEY;
  if (given) return localKeys(decode(given.split(","), "SLUICE_MASTER_KEY", secret), "SLUICE_MASTER_KEY");
  const file = path.join(options.dataDir, "keys", "master.key");
  const load = async () => {
    const text = (await read(file)) ?? (await make(file));
    return localKeys(decode(text.trim().split("\n"), file, secret), "the data folder's key file");
  };
  let keys = await load();
  const { name } = keys;
  return {
    name,
    opens: (keyVersion) => keys.opens(keyVersion),
    current: () => keys.current(),
    wrap: (dataKey, context) => keys.wrap(dataKey, context),
    unwrap: (key, context) => keys.unwrap(key, context),
    async renew() {
      await prepend(file);
      keys = await load();
    },
  };
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Linked, so that of nodes that start together one key wins. */
async function make(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const aside = await writeAside(file, newKey());
  try {
    await link(aside, file);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    await unlink(aside);
  }
  await syncFolder(path.dirname(file));
  await syncFolder(path.dirname(path.dirname(file)));
  return readFile(file, "utf8");
}

/** The former keys stay: backups of the store are sealed with them. */
async function prepend(file: string): Promise<void> {
  await rename(await writeAside(file, newKey() + (await readFile(file, "utf8"))), file);
  await syncFolder(path.dirname(file));
}

/** A name is durable once its folder is: else a power cut takes a key that the store has already been sealed with. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems cannot: there the name is as durable as they make it.
    if (!isCode(error, "EINVAL") && !isCode(error, "EPERM")) throw error;
  } finally {
    await handle.close();
  }
}

const newKey = () => `${randomBytes(keyBytes).toString("base64")}\n`;

/** It is never seen half written. */
async function writeAside(file: string, text: string): Promise<string> {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return aside;
}

function decode(texts: readonly string[], from: string, secret: (key: string) => void): [Uint8Array, ...Uint8Array[]] {
  const keys = texts.map((text) => {
    const key = Buffer.from(text.trim(), "base64");
    if (key.byteLength === keyBytes && key.toString("base64") === text.trim()) return key;
    throw new SluiceError(
      "VALIDATION_ERROR",
      `${from} is no master key: it must be ${keyBytes} bytes in base64, as \`openssl rand -base64 ${keyBytes}\` makes them`,
    );
  });
  for (const text of texts) secret(text.trim());
  return keys as [Buffer, ...Buffer[]];
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
