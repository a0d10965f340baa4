import { join } from "node:path";
import { goProgram } from "../../adapters/embedded/go-build.ts";
import { freePort } from "../../adapters/embedded/ports.ts";
import { SupervisedServer, untilReady } from "../../adapters/embedded/supervised-server.ts";
import { type CachedProgram, type FindOptions, findGoProgram } from "./go-program.ts";

const program: CachedProgram = {
  // The version that deploy/services/vault/go.mod pins.
  version: "1.21.0",
  inGo: goProgram("vault", "vault", "github.com/hashicorp/vault", { tags: "minimal", takes: "five minutes" }),
  neededBy: "The tests of secrets",
};

export const findVault = (options?: FindOptions): Promise<string> => findGoProgram(program, options);

/** A test that has to wait for the build of the server waits so long. */
export const vaultBuildMs = 25 * 60_000;

export interface TestVault {
  readonly url: string;
  readonly token: string;
  /** A request of Vault's API. Throws where the answer is no success. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever Vault answers.
  call(method: string, path: string, body?: object): Promise<any>;
  stop(): Promise<void>;
}

const token = "root-token-of-the-tests";

/**
 * A server in memory, with a KV store of version 2 at `secret/` and the arguments given. `folder` is for its log. On the
 * same `port` another one may follow it.
 */
export async function startVault(
  folder: string,
  { args = [], port }: { readonly args?: readonly string[]; readonly port?: number } = {},
): Promise<TestVault> {
  const [file, at] = [await findVault(), port ?? (await freePort())];
  const url = `http://127.0.0.1:${at}`;
  const call = async (method: string, path: string, body?: object) => {
    const options = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${url}/v1/${path}`, { method, headers: { "x-vault-token": token }, ...options });
    const text = await response.text();
    if (!response.ok) throw new Error(`vault: ${method} ${path}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  };
  const server = await SupervisedServer.start({
    name: "vault",
    logFile: join(folder, "vault.log"),
    command: async () => ({
      file,
      args: [
        "server",
        "-dev",
        "-dev-no-store-token",
        `-dev-root-token-id=${token}`,
        `-dev-listen-address=127.0.0.1:${at}`,
        ...args,
      ],
      cwd: folder,
      env: { ...process.env, HOME: folder },
      stopSignal: "TERM",
    }),
    ready: (signal) => untilReady(() => call("GET", "sys/internal/ui/mounts/secret").then(() => undefined), signal),
  });
  return { url, token, call, stop: () => server.stop() };
}
