import type { ConnectorType } from "../../connectors/sdk/index.ts";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { messageOf } from "../../runtime/errors/index.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import { PluginError } from "./failure.ts";
import { type PluginCommand, PluginProcess } from "./plugin-process.ts";
import { type PluginClient, pluginType } from "./plugin-type.ts";

export interface PluginOptions {
  /** For messages and for the log. */
  readonly name: string;
  readonly plugin: PluginCommand;
  readonly logger: Logger;
  readonly redact?: (line: string) => string;
}

const backoff = { initialMs: 200, maxMs: 30_000 };
/** One that lived this long has recovered: its next death starts with the shortest delay again. */
const healthyMs = 60_000;

/**
 * A plugin that runs as a child process and is started again when it dies. What was under way at its death fails as
 * what is away does (UNAVAILABLE), with the way it ended in the message, and is tried again by whoever asked.
 */
export class Plugin implements PluginClient {
  readonly name: string;
  readonly type: ConnectorType;
  readonly #options: PluginOptions;
  readonly #stopping = new AbortController();
  #life: PluginProcess | undefined;
  /** Why there is none at the moment. */
  #reason = "";
  #ended: Promise<void>;

  private constructor(options: PluginOptions, first: PluginProcess) {
    this.name = options.name;
    this.#options = options;
    this.type = pluginType(first.spec, this);
    this.#life = first;
    this.#ended = this.#keepUp(first);
  }

  /** Resolves once it has said what it is; rejects with the reason where it does not start. */
  static async start(options: PluginOptions): Promise<Plugin> {
    return new Plugin(options, await PluginProcess.start(options));
  }

  /** Undefined while it is being started again. */
  get pid(): number | undefined {
    return this.#life?.pid;
  }

  async client(signal: AbortSignal): Promise<ConnectorServiceClient> {
    signal.throwIfAborted();
    if (this.#life) return this.#life.client;
    // Whoever asks tries again by itself: it is told at once why there is none.
    throw new PluginError("UNAVAILABLE", `plugin ${this.name} ${this.#reason}`);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#life?.stop();
    await this.#ended;
  }

  async #keepUp(first: PluginProcess): Promise<void> {
    const { signal } = this.#stopping;
    let life: PluginProcess | undefined = first;
    for (let attempt = 0; ; attempt++) {
      if (life) {
        const since = Date.now();
        this.#become(life, "");
        const end = await life.exited;
        life.client.close();
        if (Date.now() - since > healthyMs) attempt = 0;
        this.#become(undefined, end.startsWith("was ended") ? end : `ended (${end})`);
        if (signal.aborted) return;
        this.#options.logger.warn({ plugin: this.name, end }, "plugin ended");
      }
      await delay(Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(attempt, 10)), signal);
      if (signal.aborted) return;
      life = await this.#again();
    }
  }

  async #again(): Promise<PluginProcess | undefined> {
    try {
      const life = await PluginProcess.start(this.#options);
      if (sameType(life.spec, this.type)) return life;
      await life.stop();
      this.#reason = `is another one now: ${life.spec.type} ${life.spec.version}`;
    } catch (error) {
      this.#reason = messageOf(error).replace(`plugin ${this.name} `, "");
    }
    this.#options.logger.error({ plugin: this.name, reason: this.#reason }, "plugin does not start");
    return undefined;
  }

  #become(life: PluginProcess | undefined, reason: string): void {
    this.#life = life;
    this.#reason = reason;
  }
}

function sameType({ type, version }: SpecResponse, known: ConnectorType): boolean {
  return type === known.type && version === known.version;
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
