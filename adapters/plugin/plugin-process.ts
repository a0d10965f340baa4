import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import { PluginError } from "./failure.ts";
import { connect, specOf } from "./plugin-type.ts";

export interface PluginCommand {
  /** Program and arguments. No shell reads them. */
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Added to what little of the environment it gets: PATH, HOME, LANG, TMPDIR. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of memory; beyond it is killed. */
  readonly memoryBytes?: number;
}

export interface PluginProcessOptions {
  readonly name: string;
  readonly plugin: PluginCommand;
  readonly logger: Logger;
  /** A line that it wrote, without what is secret. */
  readonly redact?: (line: string) => string;
}

const handshakeMs = 10_000;
const stopMs = 5_000;
const memoryLookMs = 2_000;
const defaultMemory = 1024 * 1024 * 1024;
const inherited = ["PATH", "HOME", "LANG", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/** One life of a plugin that runs as a child. */
export class PluginProcess {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  /** How it ended. */
  readonly exited: Promise<string>;
  /** Whether processes that it had started were there when it ended. They are ended, too. */
  leftProcesses = false;
  readonly #child: ChildProcess;
  #killedFor: string | undefined;

  private constructor(
    child: ChildProcess,
    client: ConnectorServiceClient,
    spec: SpecResponse,
    exited: Promise<string>,
  ) {
    this.#child = child;
    this.client = client;
    this.spec = spec;
    this.exited = exited.then((end) => this.#killedFor ?? end);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resolves once it has shaken hands and said what it is; else it is ended, and the reason thrown. */
  static async start({ name, plugin, logger, redact = (line) => line }: PluginProcessOptions): Promise<PluginProcess> {
    const [program, ...args] = plugin.command;
    const env = Object.fromEntries(inherited.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : [])));
    const child = spawn(program, args, {
      ...(plugin.cwd && { cwd: plugin.cwd }),
      env: { ...env, ...plugin.env },
      stdio: ["pipe", "pipe", "pipe"],
      // Out of reach of the terminal's Ctrl-C: the node drains first.
      detached: true,
    });
    child.stdin?.on("error", () => {});
    const last: string[] = [];
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      const said = redact(line.slice(0, 4_000));
      last.push(said);
      if (last.length > 5) last.shift();
      logger.info({ plugin: name, pid: child.pid }, said);
    });
    const exited = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
      child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    let client: ConnectorServiceClient | undefined;
    try {
      const address = await Promise.race([
        handshake(child, name),
        exited.then((end) => {
          const said = last.length === 0 ? "" : `: ${last.join(" / ")}`;
          throw new PluginError("UNAVAILABLE", `plugin ${name} ended before its first line (${end})${said}`);
        }),
      ]);
      client = connect(address);
      const spec = await specOf(client, name);
      const life = new PluginProcess(child, client, spec, exited);
      child.once("exit", () => {
        life.leftProcesses = killGroup(child, "SIGKILL");
      });
      life.#watchMemory(plugin.memoryBytes ?? defaultMemory);
      return life;
    } catch (error) {
      client?.close();
      killGroup(child, "SIGKILL");
      throw error;
    }
  }

  /** Asks it to end; kills it where it does not. */
  async stop(): Promise<void> {
    this.client.close();
    this.#child.stdin?.end();
    killGroup(this.#child, "SIGTERM");
    const force = setTimeout(() => this.#kill("did not end when it was asked to"), stopMs);
    await this.exited;
    clearTimeout(force);
  }

  #kill(reason: string): void {
    this.#killedFor ??= `was ended: it ${reason}`;
    killGroup(this.#child, "SIGKILL");
  }

  #watchMemory(limit: number): void {
    const look = setInterval(() => {
      const bytes = residentBytes(this.pid);
      if (bytes > limit)
        this.#kill(`took ${Math.round(bytes / 1e6)} MB of memory, and may take ${Math.round(limit / 1e6)}`);
    }, memoryLookMs);
    look.unref();
    void this.exited.then(() => clearInterval(look));
  }
}

function handshake(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PluginError("UNAVAILABLE", `plugin ${name} did not print its address within ${handshakeMs / 1000} s`));
    }, handshakeMs);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.once("line", (line) => {
      clearTimeout(timer);
      lines.close();
      // The rest is read and dropped, so that it can go on writing.
      child.stdout?.resume();
      const address = addressIn(line);
      if (address === undefined) {
        reject(
          new PluginError(
            "INTERNAL_ERROR",
            `plugin ${name} begins with a line that is no handshake: ${line.slice(0, 200)}`,
          ),
        );
      } else resolve(address);
    });
    child.once("exit", () => clearTimeout(timer));
  });
}

/** Of `{"sluice":1,"address":"unix:PATH"}` or `"HOST:PORT"`. */
function addressIn(line: string): string | undefined {
  try {
    const { sluice, address } = JSON.parse(line) as { sluice?: unknown; address?: unknown };
    if (sluice !== 1 || typeof address !== "string") return undefined;
    return /^(unix:.+|[^:]+:\d+)$/.test(address) ? address : undefined;
  } catch {
    return undefined;
  }
}

/** Whether there was a process in it. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/** 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}
