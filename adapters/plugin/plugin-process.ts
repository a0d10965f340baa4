import { lstatSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { credentials, status } from "@grpc/grpc-js";
import { HealthClient } from "../../proto/gen/grpc/health/v1/health.ts";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { PluginError } from "./failure.ts";
import { connect, specOf } from "./grpc.ts";
import { type Guarded, startGuarded } from "./guard.ts";
import type { LifeOptions, PluginCommand, PluginLife } from "./life.ts";
import { bounded, eachLine } from "./lines.ts";
import { watchMemory } from "./memory.ts";

const handshakeMs = 10_000;
const stopMs = 5_000;
const silentMs = 30_000;
/** It is asked so often within that time, and has to be silent each time: a node that slept has asked only once. */
const asks = 6;
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

/** Said on this side, where nothing came from the other one. */
const unheard = new Set<status>([status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED]);

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** A child, and what it was ended for. */
class Killable {
  readonly guarded: Guarded;
  readonly exited: Promise<string>;
  reason: string | undefined;

  constructor(guarded: Guarded) {
    this.guarded = guarded;
    this.exited = guarded.exited.then((end) => this.reason ?? end);
  }

  readonly kill = (reason: string): void => {
    this.reason ??= `was ended: it ${reason}`;
    this.guarded.kill();
  };
}

/** One life of a plugin that runs as a child. */
export class PluginProcess implements PluginLife {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  readonly exited: Promise<string>;
  readonly #child: Guarded;
  readonly #kill: (reason: string) => void;
  #asking: NodeJS.Timeout | undefined;
  #unanswered = 0;

  private constructor(child: Killable, client: ConnectorServiceClient, spec: SpecResponse) {
    this.#child = child.guarded;
    this.#kill = child.kill;
    this.client = client;
    this.spec = spec;
    this.exited = child.exited;
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
    // Whole: a secret that is cut is not known again.
    const clean = (line: string) => redact(line).slice(0, 4_000);
    const log = bounded(
      (line) => logger.info({ plugin: name, pid: child.pid }, clean(line)),
      (left) => logger.warn({ plugin: name, pid: child.pid }, `${left} lines left out: it says more than a log takes`),
    );
    eachLine(child.stderr, (line) => {
      last.push(line);
      if (last.length > 5) last.shift();
      log(line);
    });
    const killable = new Killable(child);
    const limit = plugin.memoryBytes ?? defaultMemory;
    const unwatch = watchMemory(
      () => child.pid,
      limit,
      (bytes) => killable.kill(`took ${megabytes(bytes)} of memory, and may take ${megabytes(limit)}`),
    );
    void child.exited.then(unwatch);
    let client: ConnectorServiceClient | undefined;
    try {
      const address = await Promise.race([
        handshake(child, name, redact),
        killable.exited.then((end) => {
          const said = last.length === 0 ? "" : `: ${last.map(clean).join(" / ")}`;
          throw new PluginError("UNAVAILABLE", `plugin ${name} ended before its first line (${end})${said}`);
        }),
      ]);
      void child.exited.then(() => removeSocket(address));
      client = connect({ address });
      const life = new PluginProcess(killable, client, await specOf(client, name));
      life.#watchHealth(plugin.silentMs ?? silentMs);
      return life;
    } catch (error) {
      client?.close();
      child.kill();
      throw killable.reason === undefined ? error : new PluginError("UNAVAILABLE", `plugin ${name} ${killable.reason}`);
    }
  }

  /** Asks it to end; kills it where it does not. */
  async stop(): Promise<void> {
    clearInterval(this.#asking);
    this.client.close();
    this.#child.stdin.end();
    this.#child.terminate();
    const force = setTimeout(() => this.#kill("did not end when it was asked to"), stopMs);
    await this.exited;
    clearTimeout(force);
  }

  heard(): void {
    this.#unanswered = 0;
  }

  /** Any answer will do, also that it serves no health. What is busy is given time; what sends anything is alive. */
  #watchHealth(limitMs: number): void {
    const channelOverride = this.client.getChannel();
    // The address is of no interest: it goes the same way.
    const health = new HealthClient("localhost", credentials.createInsecure(), { channelOverride });
    let asked = false;
    const look = setInterval(() => {
      if (++this.#unanswered > asks) return this.#kill(`did not answer for ${limitMs / 1000} s`);
      if (asked) return;
      asked = true;
      health.check({ service: "" }, (error) => {
        asked = false;
        if (error === null || !unheard.has(error.code)) this.heard();
      });
    }, limitMs / asks);
    this.#asking = look.unref();
    void this.exited.then(() => clearInterval(look));
  }
}

function handshake(child: Guarded, name: string, redact: (line: string) => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PluginError("UNAVAILABLE", `plugin ${name} did not print its address within ${handshakeMs / 1000} s`));
    }, handshakeMs);
    const stop = eachLine(child.stdout, (line) => {
      clearTimeout(timer);
      stop();
      // The rest is read and dropped, so that it can go on writing.
      child.stdout.resume();
      const address = addressIn(line);
      if (address === undefined) {
        reject(
          new PluginError(
            "INTERNAL_ERROR",
            `plugin ${name} begins with a line that is no handshake: ${redact(line).slice(0, 200)}`,
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

/** What a plugin that was killed leaves behind: its socket, and the folder for temporary files that held nothing else. */
function removeSocket(address: string): void {
  if (!address.startsWith("unix:")) return;
  const socket = address.slice("unix:".length);
  const folder = dirname(socket);
  try {
    // Whatever else a plugin may name stays.
    if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket()) rmSync(socket);
    if (dirname(folder) === tmpdir()) rmdirSync(folder);
  } catch {
    // It removed the folder itself, or keeps more there.
  }
}
