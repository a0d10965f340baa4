import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import pg from "pg";
import { ensurePortFree, freePort } from "./ports.ts";
import { reachablePostgres } from "./postgres-binaries.ts";
import { clusterFolder, ensureCluster, SUPERUSER, serverEnv } from "./postgres-cluster.ts";
import { postgresUser } from "./postgres-user.ts";
import { commandOf, endProcess, isAlive } from "./processes.ts";
import { readOrMakeSecret } from "./secret-file.ts";
import { type ServerHandle, SupervisedServer, untilReady } from "./supervised-server.ts";

export interface PostgresOptions {
  /** The product's data folder; the server's password and log, and usually its cluster, are in `postgres` below it. */
  readonly dataDir: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Told what takes long: the first start. */
  readonly progress?: (line: string) => void;
}

const DATABASE = "sluice";
const INVALID_CATALOG_NAME = "3D000";

/** Durability stays as Postgres ships it: fsync and synchronous commit on. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "256MB",
  // Checkpoints by time, not every few seconds of a bulk load.
  max_wal_size: "2GB",
  wal_level: "logical",
  // Compiling costs more than it gains on short set-based statements.
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  log_checkpoints: "off",
  log_min_messages: "warning",
  // Failed statements are the client's to report; they may hold records.
  log_min_error_statement: "panic",
};

/** Starts Postgres on a cluster of its own, made at the first call, reachable from this machine by password. */
export async function startPostgres(options: PostgresOptions): Promise<ServerHandle> {
  const folder = resolve(options.dataDir, "postgres");
  mkdirSync(folder, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const cluster = clusterFolder(folder, postgresUser);
  const user = postgresUser(cluster);
  const binaries = reachablePostgres(user);
  const password = readOrMakeSecret(join(folder, "password"));
  await ensureCluster({ cluster, binaries, password, user, progress: options.progress });
  await endLeftover(cluster);
  if (options.port !== 0) await ensurePortFree(options.port, "Postgres", "SLUICE_POSTGRES_PORT");
  const port = options.port === 0 ? await freePort() : options.port;
  const url = (database: string): string => `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;

  const server = await SupervisedServer.start({
    name: "Postgres",
    logFile: join(folder, "postgres.log"),
    command: async () => {
      await endLeftover(cluster);
      const settings = Object.entries({ ...SETTINGS, port: String(port) });
      return {
        file: join(binaries, "bin", "postgres"),
        args: ["-D", cluster, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
        cwd: cluster,
        env: serverEnv(),
        user,
        stopSignal: "INT",
      };
    },
    ready: (signal) => untilReady(() => probe(url), signal),
  });
  return {
    url: url(DATABASE),
    port,
    get pid() {
      return server.pid;
    },
    get status() {
      return server.status;
    },
    onStatus: (listener) => server.onStatus(listener),
    stop: () => server.stop(),
  };
}

/** Makes the product's database when it is not there yet. */
async function probe(url: (database: string) => string): Promise<void> {
  try {
    await query(url(DATABASE), "SELECT 1");
  } catch (error) {
    if ((error as { code?: string }).code !== INVALID_CATALOG_NAME) throw error;
    await query(url("postgres"), `CREATE DATABASE ${DATABASE}`);
  }
}

async function query(connectionString: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined); // the failed query tells
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Ends a server that outlived its node. A pid file whose process id now belongs to another program would stop
 * Postgres from starting, so it is removed; any other stale one Postgres deals with itself.
 */
async function endLeftover(cluster: string): Promise<void> {
  const file = join(cluster, "postmaster.pid");
  let pid: number;
  try {
    pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  } catch {
    return;
  }
  if (!isAlive(pid)) return;
  if (commandOf(pid)?.includes(cluster)) await endProcess(pid, "SIGINT", 10_000);
  else rmSync(file, { force: true });
}
