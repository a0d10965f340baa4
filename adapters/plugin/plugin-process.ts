import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { PluginError } from "./failure.ts";
import { connect, specOf } from "./grpc.ts";
import { type Guarded, startGuarded } from "./guard.ts";
import type { LifeOptions, PluginCommand, PluginLife } from "./life.ts";

const handshakeMs = 10_000;
const stopMs = 5_000;
const memoryLookMs = 2_000;
const defaultMemory = 1024 * 1024 * 1024;
const inherited = [
  "PATH",
  "HOME",
  "LANG",
  "TMPDIR",
  "TZ",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/** One life of a plugin that runs as a child. */
export class PluginProcess implements PluginLife {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  readonly exited: Promise<string>;
  readonly #child: Guarded;
  #killedFor: string | undefined;

  private constructor(child: Guarded, client: ConnectorServiceClient, spec: SpecResponse) {
    this.#child = child;
    this.client = client;
    this.spec = spec;
    this.exited = child.exited.then((end) => this.#killedFor ?? end);
  }

  /** Known since the handshake. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Whether processes that it had started were there when it ended. They are ended, too. */
  get leftProcesses(): boolean {
    return this.#child.leftProcesses;
  }

  /** Resolves once it has shaken hands and said what it is; else it is ended, and the reason thrown. */
  static async start({
    name,
    plugin,
    logger,
    redact = (line) => line,
  }: LifeOptions<PluginCommand>): Promise<PluginProcess> {
    const env = Object.fromEntries(inherited.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : [])));
    const child = startGuarded({ command: plugin.command, cwd: plugin.cwd, env: { ...env, ...plugin.env } });
    const last: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      // Whole: a secret that is cut is not known again.
      const said = redact(line).slice(0, 4_000);
      last.push(said);
      if (last.length > 5) last.shift();
      logger.info({ plugin: name, pid: child.pid }, said);
    });
    let client: ConnectorServiceClient | undefined;
    try {
      const address = await Promise.race([
        handshake(child, name),
        child.exited.then((end) => {
          const said = last.length === 0 ? "" : `: ${last.join(" / ")}`;
          throw new PluginError("UNAVAILABLE", `plugin ${name} ended before its first line (${end})${said}`);
        }),
      ]);
      client = connect({ address });
      const life = new PluginProcess(child, client, await specOf(client, name));
      life.#watchMemory(plugin.memoryBytes ?? defaultMemory);
      return life;
    } catch (error) {
      client?.close();
      child.kill();
      throw error;
    }
  }

  /** Asks it to end; kills it where it does not. */
  async stop(): Promise<void> {
    this.client.close();
    this.#child.stdin.end();
    this.#child.terminate();
    const force = setTimeout(() => this.#kill("did not end when it was asked to"), stopMs);
    await this.exited;
    clearTimeout(force);
  }

  #kill(reason: string): void {
    this.#killedFor ??= `was ended: it ${reason}`;
    this.#child.kill();
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

function handshake(child: Guarded, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PluginError("UNAVAILABLE", `plugin ${name} did not print its address within ${handshakeMs / 1000} s`));
    }, handshakeMs);
    const lines = createInterface({ input: child.stdout });
    lines.once("line", (line) => {
      clearTimeout(timer);
      lines.close();
      // The rest is read and dropped, so that it can go on writing.
      child.stdout.resume();
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
    void child.exited.then(() => clearTimeout(timer));
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

/** 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}
