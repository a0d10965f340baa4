import { join } from "node:path";
import { goProgram } from "../../adapters/embedded/go-build.ts";
import { freePort } from "../../adapters/embedded/ports.ts";
import { SupervisedServer, untilReady } from "../../adapters/embedded/supervised-server.ts";
import { type CachedProgram, type FindOptions, findGoProgram } from "./go-program.ts";

const toxiproxy: CachedProgram = {
  // The version that deploy/services/toxiproxy/go.mod pins.
  version: "2.5.0",
  inGo: goProgram("toxiproxy", "toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server"),
  neededBy: "The scenarios of broken networks",
};

export const findToxiproxy = (options?: FindOptions): Promise<string> => findGoProgram(toxiproxy, options);

/** What is done to the data of each connection. */
export type Toxic =
  /** Each chunk comes so many milliseconds later. */
  | { readonly type: "latency"; readonly attributes: { readonly latency: number; readonly jitter?: number } }
  /** At most so many kB a second. */
  | { readonly type: "bandwidth"; readonly attributes: { readonly rate: number } }
  /** What is sent is swallowed; after so many milliseconds the connection ends, with 0 never. */
  | { readonly type: "timeout"; readonly attributes: { readonly timeout: number } }
  /** The connection is reset so many milliseconds after something was sent. */
  | { readonly type: "reset_peer"; readonly attributes: { readonly timeout: number } };

/** Stands before a server. */
export interface ToxicProxy {
  /** The server's address with the proxy's port in it. */
  readonly url: string;
  /** Ends all connections and refuses new ones. */
  disable(): Promise<void>;
  enable(): Promise<void>;
  /**
   * From now on this happens to all connections, those that are there and new ones, both ways. `remove` ends it; of
   * `timeout` it ends the connections too.
   */
  add(toxic: Toxic): Promise<{ remove(): Promise<void> }>;
}

export interface Toxiproxy {
  proxy(name: string, url: string): Promise<ToxicProxy>;
  stop(): Promise<void>;
}

/** Starts a server; `folder` is for its log. */
export async function startToxiproxy(folder: string): Promise<Toxiproxy> {
  const [file, port] = [await findToxiproxy(), await freePort()];
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    // toxiproxy refuses browsers.
    const headers = { "user-agent": "sluice-tests" };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...text });
    const answer = await response.text();
    if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${response.status} ${answer}`);
    return answer === "" ? null : JSON.parse(answer);
  };
  const server = await SupervisedServer.start({
    name: "toxiproxy",
    logFile: join(folder, "toxiproxy.log"),
    command: async () => ({
      file,
      args: ["-host", "127.0.0.1", "-port", String(port)],
      cwd: folder,
      env: { ...process.env, LOG_LEVEL: "error" },
      stopSignal: "TERM",
    }),
    ready: (signal) => untilReady(() => call("GET", "/proxies").then(() => undefined), signal),
  });
  let toxics = 0;
  return {
    async proxy(name, url) {
      const target = new URL(url);
      const given = { name, listen: "127.0.0.1:0", upstream: target.host, enabled: true };
      const { listen } = (await call("POST", "/proxies", given)) as { listen: string };
      target.host = listen;
      const path = `/proxies/${name}`;
      // Named, or it would listen on another port when it is enabled again.
      const set = (enabled: boolean) => call("POST", path, { ...given, listen, enabled }).then(() => undefined);
      return {
        url: target.href,
        disable: () => set(false),
        enable: () => set(true),
        async add(toxic) {
          const names = ["upstream", "downstream"].map((stream) => ({ stream, name: `${stream}-${++toxics}` }));
          for (const each of names) await call("POST", `${path}/toxics`, { ...each, ...toxic, toxicity: 1 });
          return {
            async remove() {
              for (const { name } of names) await call("DELETE", `${path}/toxics/${name}`);
            },
          };
        },
      };
    },
    stop: () => server.stop(),
  };
}
