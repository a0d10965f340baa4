import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ServerHandle, startPostgres } from "../../adapters/embedded/index.ts";
import { freePort } from "../../adapters/embedded/ports.ts";

export interface OtherPostgres {
  readonly url: string;
  stop(): Promise<void>;
  /** Started again it is the same one. */
  start(): Promise<void>;
}

/** Starts a Postgres that is not the node's; stopped with the test. */
export async function otherPostgres(folder: string): Promise<OtherPostgres> {
  const dataDir = join(folder, "other");
  mkdirSync(dataDir, { mode: 0o711 });
  const options = { dataDir, port: await freePort() };
  let server: ServerHandle = await startPostgres(options);
  onTestFinished(() => server.stop());
  return {
    url: server.url,
    stop: () => server.stop(),
    start: async () => {
      server = await startPostgres(options);
    },
  };
}
