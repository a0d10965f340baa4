import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
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
  process.env.NODE_COMPILE_CACHE = join(dataDir, "compiled");
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const [nats, postgres] = await Promise.all([
    startNats({ dataDir, port: 0, progress }),
    startPostgres({ dataDir, port: 0, progress }),
    compileNode(),
  ]);
  project.provide("natsUrl", nats.url);
  project.provide("databaseUrl", postgres.url);
  return async () => {
    await Promise.all([nats.stop(), postgres.stop()]);
    rmSync(dataDir, { recursive: true, force: true });
  };
}

/**
 * Fills NODE_COMPILE_CACHE for the nodes that tests start: each of hundreds would else strip and compile all of its
 * program anew, a third of what its start costs. What a test kills keeps nothing there.
 */
async function compileNode(): Promise<void> {
  const program = new URL("../cli/node.ts", import.meta.url).href;
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", `await import("${program}")`]);
}
