import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import path from "node:path";
import type { ResolveReference } from "../../runtime/config/index.ts";
import { NotReadyError, SluiceError } from "../../runtime/errors/index.ts";

export interface ReferenceOptions {
  readonly env: { readonly [name: string]: string | undefined };
  /** The data folder's `secrets/`; need not exist. */
  readonly secretsDir: string;
  /** A value of Vault's; left out: no Vault is configured. Throws SluiceError that says why not. */
  readonly vault?: { read(path: string, key: string): Promise<string> } | undefined;
}

/** A secret is no file of megabytes. */
const maxFileBytes = 1024 * 1024;

/**
 * Looks references up where this node may: `env` in variables that begin with SLUICE_SECRET_, `file` below the secrets
 * folder (symbolic links do not lead out of it; one newline at the end is not part of the secret), `vault` below the
 * paths that the node is told to offer.
 */
export function referenceResolver(options: ReferenceOptions): ResolveReference {
  return async (scheme, argument) => {
    const fail = (why: string) => new SluiceError("VALIDATION_ERROR", `\${${scheme}:${argument}} ${why}`);
    if (scheme === "vault") return fromVault(options.vault, argument, fail);
    return scheme === "env"
      ? fromEnvironment(options.env, argument, fail)
      : fromFile(options.secretsDir, argument, fail);
  };
}

type Fail = (why: string) => SluiceError;

function fromEnvironment(env: ReferenceOptions["env"], name: string, fail: Fail): string {
  if (!/^SLUICE_SECRET_[A-Za-z0-9_]+$/.test(name)) {
    throw fail("is refused: only environment variables that begin with SLUICE_SECRET_ can be named");
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw fail("resolves to nothing: the environment variable is not set where sluice runs");
  return value;
}

async function fromVault(vault: ReferenceOptions["vault"], argument: string, fail: Fail): Promise<string> {
  const [, path, key] = /^([^#]+)#(.+)$/s.exec(argument) ?? [];
  if (path === undefined || key === undefined) throw fail("is refused: it names no PATH#KEY");
  if (!vault) throw fail("cannot be resolved: no Vault is configured where sluice runs (SLUICE_VAULT_ADDR)");
  try {
    return await vault.read(path, key);
  } catch (error) {
    if (error instanceof NotReadyError)
      throw new NotReadyError(`${fail("cannot be resolved").message}: ${error.message}`);
    if (!(error instanceof SluiceError)) throw error;
    const { code, message } = error;
    const said = /^(is refused|resolves)/.test(message) ? message : `cannot be resolved: ${message}`;
    throw new SluiceError(code, fail(said).message);
  }
}

async function fromFile(secretsDir: string, name: string, fail: Fail): Promise<string> {
  const refused = () => fail("is refused: only files below the data folder's secrets/ can be named");
  const inside = path.relative(secretsDir, path.resolve(secretsDir, name));
  if (name === "" || name.includes("\0") || leadsOut(inside)) throw refused();
  try {
    const folder = await realpath(secretsDir);
    const file = await realpath(path.join(folder, inside));
    if (leadsOut(path.relative(folder, file))) throw refused();
    return await readText(file, fail);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") throw fail("resolves to nothing: there is no such file in secrets/");
    throw fail(`cannot be read (${code})`);
  }
}

function leadsOut(relative: string): boolean {
  return relative === "" || relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative);
}

async function readText(file: string, fail: Fail): Promise<string> {
  // Without O_NONBLOCK a named pipe would keep us waiting; O_NOFOLLOW, since the real path was checked.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const { size, isFile } = await handle.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    if (!isFile) throw fail("is refused: it is no file");
    if (size > maxFileBytes) throw fail(`is refused: it is larger than ${maxFileBytes} bytes`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(await handle.readFile())
      .replace(/\r?\n$/, "");
  } catch (error) {
    throw error instanceof TypeError ? fail("is refused: it is no text in UTF-8") : error;
  } finally {
    await handle.close();
  }
}
