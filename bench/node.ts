import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { peakRssMb, usageOf } from "./usage.ts";

const sluice = fileURLToPath(new URL("../bin/sluice.mjs", import.meta.url));
/** For profiles: `--cpu-prof --cpu-prof-dir=DIR`. */
const nodeArgs = process.env.SLUICE_BENCH_NODE_ARGS?.split(" ") ?? [];
const pollMs = 10;

export interface Run {
  readonly id: string;
  readonly status: string;
  readonly records_in: number;
  readonly records_out: number;
  readonly error: { readonly message: string } | null;
}

/** CPU seconds so far, by process. */
export interface Cpu {
  readonly node: number;
  readonly nats: number;
  readonly postgres: number;
}

/** `sluice up` as a user starts it: a process of its own with its embedded servers, in a folder that is removed. */
export class BenchNode {
  readonly folder: string;
  /** Where file connectors read and write. */
  readonly files: string;
  readonly #dataDir: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #url = "";

  /** Not started. Several in one folder have data folders of their own, and `env` names the servers that they share. */
  constructor(folder = mkdtempSync(join(tmpdir(), "sluice-bench-")), data = "data", env: NodeJS.ProcessEnv = {}) {
    this.folder = folder;
    this.files = join(folder, "files");
    this.#dataDir = join(folder, data);
    this.#env = env;
  }

  /** A node that is ready, for as long as `use` takes. */
  static async with<T>(use: (node: BenchNode) => Promise<T>, env: NodeJS.ProcessEnv = {}): Promise<T> {
    const node = new BenchNode(undefined, undefined, env);
    const remove = async () => {
      await node.stop();
      rmSync(node.folder, { recursive: true, force: true, maxRetries: 10 });
    };
    const interrupted = () => void remove().finally(() => process.exit(130));
    process.once("SIGINT", interrupted);
    process.once("SIGTERM", interrupted);
    try {
      await node.start();
      return await use(node);
    } finally {
      await remove();
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", interrupted);
    }
  }

  /** Resolves when readyz answers 200. */
  async start(): Promise<void> {
    mkdirSync(this.files, { recursive: true });
    const child = spawn(process.execPath, [...nodeArgs, sluice, "up"], {
      cwd: this.folder,
      env: {
        ...process.env,
        SLUICE_DATA_DIR: this.#dataDir,
        SLUICE_HTTP_PORT: "0",
        SLUICE_GRPC_PORT: "0",
        SLUICE_NATS_PORT: "0",
        SLUICE_POSTGRES_PORT: "0",
        SLUICE_FILE_ROOTS: this.folder,
        ...this.#env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /ready at (\S+)/.exec(line)?.[1];
      if (url === undefined) continue;
      this.#url = url;
      child.stdout.resume();
      while (!(await fetch(`${url}/readyz`)).ok) await sleep(pollMs);
      return;
    }
    throw new Error(`the node ended before it was ready: ${stderr}`);
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  get url(): string {
    return this.#url;
  }

  get token(): string {
    return readFileSync(join(this.#dataDir, "token"), "utf8").trim();
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the node does not run");
    return pid;
  }

  cpu(): Cpu {
    return {
      node: usageOf(this.pid, false).cpuSeconds,
      nats: usageOf(pidIn(join(this.#dataDir, "nats", "nats.pid")), false).cpuSeconds,
      postgres: usageOf(pidIn(join(this.#cluster, "postmaster.pid")), true).cpuSeconds,
    };
  }

  rssMb(): number {
    return usageOf(this.pid, false).rssMb;
  }

  /** Since the node's start; the present one where the system does not keep it. */
  peakRssMb(): number {
    return peakRssMb(this.pid) ?? this.rssMb();
  }

  /** Of the embedded Postgres. */
  get databaseUrl(): string {
    const password = readFileSync(join(this.#dataDir, "postgres", "password"), "utf8").trim();
    const port = readFileSync(join(this.#cluster, "postmaster.pid"), "utf8").split("\n")[3];
    return `postgres://sluice:${password}@127.0.0.1:${port}/sluice`;
  }

  get #cluster(): string {
    const note = join(this.#dataDir, "postgres", "location");
    return existsSync(note) ? readFileSync(note, "utf8").trim() : join(this.#dataDir, "postgres", "data");
  }

  /** Id of a new connector. */
  async connector(name: string, type: string, config: object): Promise<string> {
    return (await this.call<{ id: string }>("POST", "/v1/connectors", { name, type, config })).id;
  }

  /** Id of a new integration. */
  async integration(body: object): Promise<string> {
    return (await this.call<{ id: string }>("POST", "/v1/integrations", body)).id;
  }

  /** Id of a new run. */
  async begin(integrationId: string): Promise<string> {
    return (await this.call<Run>("POST", `/v1/integrations/${integrationId}/run`, {})).id;
  }

  run(id: string): Promise<Run> {
    return this.call("GET", `/v1/runs/${id}`);
  }

  /** Resolves when the run has ended; throws where it did not end as it should. */
  async ended(id: string, well = "success"): Promise<Run> {
    for (;;) {
      const run = await this.run(id);
      if (run.status === well) return run;
      if (run.status !== "running") throw new Error(`the run ended as ${run.status}: ${run.error?.message}`);
      await sleep(pollMs);
    }
  }

  /** How many dead letters a job has replayed, once it has ended. */
  async jobEnded(id: string): Promise<number> {
    for (;;) {
      const job = await this.call<{ status: string; progress: { passed: number } }>("GET", `/v1/jobs/${id}`);
      if (job.status !== "running") return job.progress.passed;
      await sleep(10 * pollMs);
    }
  }

  async metrics(): Promise<string> {
    return await (await this.#fetch("GET", "/metrics")).text();
  }

  async call<T>(method: string, path: string, body?: object): Promise<T> {
    return (await (await this.#fetch(method, path, body)).json()) as T;
  }

  async #fetch(method: string, path: string, body?: object): Promise<Response> {
    const { token } = this;
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}

function pidIn(file: string): number {
  return Number.parseInt(readFileSync(file, "utf8"), 10);
}

/** What was used between two readings. */
export function cpuBetween(before: Cpu, after: Cpu): Cpu {
  return {
    node: after.node - before.node,
    nats: after.nats - before.nats,
    postgres: after.postgres - before.postgres,
  };
}
