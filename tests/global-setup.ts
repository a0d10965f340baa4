import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startNats, startPostgres } from "../adapters/embedded/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** `nats://user:password@127.0.0.1:port` */
    readonly natsUrl: string;
    /** Of a superuser; tests make databases of their own (tests/support/servers.ts). */
    readonly databaseUrl: string;
  }
}

/** One nats-server and one Postgres for all tests; a test that kills its servers starts its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-tests-"));
  // For root, whose Postgres runs as another user.
  chmodSync(dataDir, 0o711);
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const servers = await Promise.all([
    startNats({ dataDir, port: 0, progress }),
    startPostgres({ dataDir, port: 0, progress }),
  ]);
  project.provide("natsUrl", servers[0].url);
  project.provide("databaseUrl", servers[1].url);
  return async () => {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  };
}
