import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, inject, onTestFinished } from "vitest";
import { freePort } from "../../adapters/embedded/ports.ts";
import { isAlive } from "../../adapters/embedded/processes.ts";
import { SERVER_NODE_ARGS } from "../../scripts/launch.mjs";
import { Api } from "./api.ts";
import { copyFolder } from "./copy-folder.ts";
import { tempDir } from "./temp-dir.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

export interface TestNodeOptions {
  /** Holds the data folder and `files`; made and removed with the test where left out. */
  readonly folder?: string;
  /** Name of the data folder in it, for a second node beside the first. */
  readonly data?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Options of Node's own. */
  readonly nodeOptions?: readonly string[];
  /** Where the node is ended; with the test unless given. */
  readonly atEnd?: (end: () => Promise<void>) => void;
}

/** `sluice up` as a process of its own, with a data folder and ports of its own, that may die and be started again. */
export class TestNode {
  readonly folder: string;
  readonly dataDir: string;
  /** Where file connectors read and write. */
  readonly files: string;
  readonly api: Api;
  readonly #env: NodeJS.ProcessEnv;
  readonly #nodeOptions: readonly string[];
  #child: ChildProcess | undefined;
  #stderr = "";
  #url = "";

  private constructor(folder: string, dataDir: string, env: NodeJS.ProcessEnv, nodeOptions: readonly string[]) {
    this.folder = folder;
    this.dataDir = dataDir;
    this.files = join(folder, "files");
    mkdirSync(this.files, { recursive: true });
    this.#env = env;
    this.#nodeOptions = nodeOptions;
    this.api = new Api(() => this);
  }

  /** Started and ready; ended when the test is over. */
  static async start(options: TestNodeOptions = {}): Promise<TestNode> {
    const node = await TestNode.make(options);
    await node.start();
    return node;
  }

  /** Not started yet. */
  static async make(options: TestNodeOptions = {}): Promise<TestNode> {
    const { folder = tempDir(), data = "data", env, nodeOptions = [], atEnd = onTestFinished } = options;
    const dataDir = join(folder, data);
    if (env?.SLUICE_DATABASE_URL === undefined && !existsSync(dataDir)) await beginPostgres(dataDir);
    // The ports stay the same over restarts, as they do for users: connectors name them.
    const [nats, postgres] = [await freePort(), await freePort()];
    const own = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: process.env.TMPDIR,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      SLUICE_DATA_DIR: dataDir,
      SLUICE_HTTP_PORT: "0",
      SLUICE_GRPC_PORT: "0",
      SLUICE_NATS_PORT: String(nats),
      SLUICE_POSTGRES_PORT: String(postgres),
      SLUICE_FILE_ROOTS: folder,
    };
    const node = new TestNode(folder, dataDir, { ...own, ...env }, nodeOptions);
    atEnd(() => node.kill());
    return node;
  }

  get url(): string {
    return this.#url;
  }

  get token(): string {
    return readFileSync(join(this.dataDir, "token"), "utf8").trim();
  }

  /** Among nodes. */
  get id(): string {
    return readFileSync(join(this.dataDir, "node-id"), "utf8").trim();
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the node does not run");
    return pid;
  }

  /** Whether its process runs. */
  get alive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** What it said on stderr since its last start. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when the node is ready; rejects when it ends before. */
  async start(): Promise<void> {
    const child = this.launch();
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    for await (const line of lines) {
      const url = /ready at (\S+)/.exec(line)?.[1];
      if (url === undefined) continue;
      this.#url = url;
      child.stdout?.resume();
      return;
    }
    throw new Error(`the node ended before it was ready: ${this.#stderr}`);
  }

  /** Starts the process without waiting for it to be ready. */
  launch(): ChildProcess {
    const child = spawn(process.execPath, [...SERVER_NODE_ARGS, ...this.#nodeOptions, main, "up"], {
      cwd: this.folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#stderr = "";
    child.stderr?.on("data", (text) => {
      this.#stderr += text;
    });
    return child;
  }

  /** kill -9. Resolves when the node and its servers are gone: they must not outlive it. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    const servers = [this.serverPid("nats"), this.serverPid("postgres")].filter((pid) => pid !== undefined);
    const deadline = Date.now() + 60_000;
    while (servers.some(isAlive)) {
      if (Date.now() > deadline) throw new Error(`servers ${servers.filter(isAlive)} outlived their node`);
      await delay(20);
    }
  }

  /** SIGTERM. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child as ChildProcess;
    this.#child = undefined;
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    return code;
  }

  /** kill -9 of one of the node's servers, which the node starts again. The process id that was killed. */
  killServer(server: "nats" | "postgres"): number {
    const pid = this.serverPid(server) as number;
    process.kill(pid, "SIGKILL");
    return pid;
  }

  /** As the server's own pid file says; undefined where it has none. */
  serverPid(server: "nats" | "postgres"): number | undefined {
    const file = server === "nats" ? join(this.dataDir, "nats", "nats.pid") : join(this.cluster, "postmaster.pid");
    if (!existsSync(file)) return undefined;
    return Number.parseInt(readFileSync(file, "utf8"), 10);
  }

  /** Of the embedded server. */
  databaseUrl(database = "sluice"): string {
    const password = readFileSync(join(this.dataDir, "postgres", "password"), "utf8").trim();
    return `postgres://sluice:${password}@127.0.0.1:${this.#env.SLUICE_POSTGRES_PORT}/${database}`;
  }

  /** The folder of its Postgres. */
  get cluster(): string {
    const folder = join(this.dataDir, "postgres");
    const note = join(folder, "location");
    return existsSync(note) ? readFileSync(note, "utf8").trim() : join(folder, "data");
  }
}

/** What each node would else make for itself at its first start. */
async function beginPostgres(dataDir: string): Promise<void> {
  const made = inject("postgresFolder");
  // One that lies elsewhere, since its user cannot get there, is nobody else's.
  if (existsSync(join(made, "location"))) return;
  mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  await copyFolder(made, join(dataDir, "postgres"));
}

/** One node for all tests of a file. */
export function sharedNode(env: NodeJS.ProcessEnv = {}): () => TestNode {
  const ends: (() => unknown)[] = [];
  let node: TestNode | undefined;
  beforeAll(async () => {
    const atEnd = (end: () => unknown) => void ends.push(end);
    node = await TestNode.start({ folder: tempDir(atEnd), atEnd, env });
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  return () => node as TestNode;
}
