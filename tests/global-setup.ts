import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { startNats, startPostgres } from "../adapters/embedded/index.ts";
import { openStore } from "../adapters/postgres/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** `nats://user:password@127.0.0.1:port` */
    readonly natsUrl: string;
    /** Of a superuser; tests make databases of their own (tests/support/servers.ts). */
    readonly databaseUrl: string;
    /** Of an embedded Postgres whose migrations are done, and that does not run: what tests/support/node.ts begins with. */
    readonly postgresFolder: string;
  }
}

/** One nats-server and one Postgres for all tests; a test that kills its servers starts its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-tests-"));
  // For root, whose Postgres runs as another user.
  chmodSync(dataDir, 0o711);
  process.env.NODE_COMPILE_CACHE = join(dataDir, "compiled");
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const [nats, postgresFolder, postgres] = await Promise.all([
    startNats({ dataDir, port: 0, progress }),
    migratedPostgres(join(dataDir, "migrated"), progress),
    startPostgres({ dataDir, port: 0, progress }),
    compileNode(),
  ]);
  project.provide("natsUrl", nats.url);
  project.provide("databaseUrl", postgres.url);
  project.provide("postgresFolder", postgresFolder);
  return async () => {
    await Promise.all([nats.stop(), postgres.stop()]);
    rmSync(dataDir, { recursive: true, force: true });
  };
}

/** Made once: to make one takes each node longer than all else of its start. */
async function migratedPostgres(dataDir: string, progress: (line: string) => void): Promise<string> {
  mkdirSync(dataDir, { mode: 0o711 });
  const server = await startPostgres({ dataDir, port: 0, progress });
  await (await openStore({ url: server.url })).close();
  await server.stop();
  return join(dataDir, "postgres");
}

/**
 * Fills NODE_COMPILE_CACHE for the nodes that tests start: each of hundreds would else strip and compile all of its
 * program anew, a third of what its start costs. What a test kills keeps nothing there.
 */
async function compileNode(): Promise<void> {
  const program = new URL("../cli/node.ts", import.meta.url).href;
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", `await import("${program}")`]);
}
