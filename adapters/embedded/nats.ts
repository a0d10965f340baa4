import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { connect } from "@nats-io/transport-node";
import { findNatsServer } from "./nats-server.ts";
import { ensurePortFree, freePort } from "./ports.ts";
import { commandOf, endProcess, isAlive } from "./processes.ts";
import { readOrMakeSecret } from "./secret-file.ts";
import { type ServerHandle, SupervisedServer, untilReady } from "./supervised-server.ts";

export interface NatsOptions {
  /** The product's data folder; everything of the server is in `nats` below it. */
  readonly dataDir: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Path of a nats-server; found when left out (findNatsServer). */
  readonly binary?: string;
  /** Port of the server's HTTP monitoring; none when left out. */
  readonly monitorPort?: number;
  /** Told what takes long: a first build of the server. */
  readonly progress?: (line: string) => void;
}

const USER = "sluice";
/** Largest message: a batch of about 100 kB, or a single record of several MB. */
const MAX_PAYLOAD = 8 * 1024 * 1024;

/** Starts nats-server with JetStream, every acknowledged message fsynced, reachable from this machine by password. */
export async function startNats(options: NatsOptions): Promise<ServerHandle> {
  const binary = options.binary ?? (await findNatsServer({ progress: options.progress })).path;
  const folder = resolve(options.dataDir, "nats");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const config = join(folder, "nats.conf");
  const password = readOrMakeSecret(join(folder, "password"));
  await endLeftover(join(folder, "nats.pid"), config);
  if (options.port !== 0) await ensurePortFree(options.port, "nats-server", "SLUICE_NATS_PORT");
  const port = options.port === 0 ? await freePort() : options.port;
  writeFileSync(config, configText({ folder, port, password, monitorPort: options.monitorPort }), { mode: 0o600 });

  const server = await SupervisedServer.start({
    name: "nats-server",
    logFile: join(folder, "nats.log"),
    command: async () => ({ file: binary, args: ["--config", config], cwd: folder, stopSignal: "TERM" }),
    ready: (signal) => untilReady(() => probe(port, password), signal),
  });
  return {
    url: `nats://${USER}:${password}@127.0.0.1:${port}`,
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

function configText(values: {
  folder: string;
  port: number;
  password: string;
  monitorPort: number | undefined;
}): string {
  const { folder, port, password, monitorPort } = values;
  const text = (value: string): string => JSON.stringify(value);
  return [
    "# Written by sluice at every start.",
    `server_name: ${text(`sluice-${randomBytes(4).toString("hex")}`)}`,
    `listen: "127.0.0.1:${port}"`,
    ...(monitorPort === undefined ? [] : [`http: "127.0.0.1:${monitorPort}"`]),
    `pid_file: ${text(join(folder, "nats.pid"))}`,
    `max_payload: ${MAX_PAYLOAD}`,
    `authorization { user: ${USER}, password: ${text(password)} }`,
    "jetstream {",
    `  store_dir: ${text(folder)}`,
    "  # An acknowledged message has been fsynced.",
    "  sync_interval: always",
    "  # Limits are for reservations, which sluice does not make: the disk is the limit.",
    "  max_file_store: 1PB",
    "  max_memory_store: 1GB",
    "}",
    "",
  ].join("\n");
}

async function probe(port: number, password: string): Promise<void> {
  const servers = `127.0.0.1:${port}`;
  const connection = await connect({ servers, user: USER, pass: password, reconnect: false, timeout: 2_000 });
  try {
    await connection.request("$JS.API.INFO", undefined, { timeout: 2_000 });
  } finally {
    await connection.close();
  }
}

/** Ends a server that outlived its node, which its guard should not have let happen. */
async function endLeftover(pidFile: string, config: string): Promise<void> {
  let pid: number;
  try {
    pid = Number(readFileSync(pidFile, "utf8"));
  } catch {
    return;
  }
  // A stale file may hold the id of any process by now: the command line tells whether it is ours.
  if (isAlive(pid) && commandOf(pid)?.includes(config)) await endProcess(pid, "SIGTERM", 5_000);
}
