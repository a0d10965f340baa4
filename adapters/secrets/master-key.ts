import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, unlink } from "node:fs/promises";
import path from "node:path";
import { SluiceError } from "../../runtime/errors/index.ts";

const keyBytes = 32;

/**
 * The key-encryption key: SLUICE_MASTER_KEY (32 bytes in base64), else the file `keys/master.key` of the data folder,
 * made at the first start. Not in `secrets/`, which a connector's config may refer to.
 */
export async function loadMasterKey(options: {
  readonly env: { readonly [name: string]: string | undefined };
  readonly dataDir: string;
}): Promise<Uint8Array> {
  const given = options.env.SLUICE_MASTER_KEY;
  if (given !== undefined && given !== "") return decode(given, "SLUICE_MASTER_KEY");
  const file = path.join(options.dataDir, "keys", "master.key");
  const text = (await read(file)) ?? (await make(file));
  return decode(text, file);
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Written aside and linked, so that of nodes that start together one key wins, and it is never seen half written. */
async function make(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.writeFile(`${randomBytes(keyBytes).toString("base64")}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(aside, file);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    await unlink(aside);
  }
  return readFile(file, "utf8");
}

function decode(text: string, from: string): Uint8Array {
  const key = Buffer.from(text.trim(), "base64");
  if (key.byteLength === keyBytes && key.toString("base64") === text.trim()) return key;
  throw new SluiceError(
    "VALIDATION_ERROR",
    `${from} is no master key: it must be ${keyBytes} bytes in base64, as \`openssl rand -base64 ${keyBytes}\` makes them`,
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
