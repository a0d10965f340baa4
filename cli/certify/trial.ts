import { credentials } from "@grpc/grpc-js";
import {
  connect,
  describe,
  type PluginAddress,
  PluginProcess,
  pluginType,
  specOf,
} from "../../adapters/plugin/index.ts";
import type { PluginHandle } from "../../connectors/conformance/suite.ts";
import type { ConnectorType } from "../../connectors/sdk/index.ts";
import { HealthClient } from "../../proto/gen/grpc/health/v1/health.ts";
import type { ConnectorServiceClient, SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { SpanCollector } from "./span-collector.ts";

/** A program and its arguments, or an address: `unix:PATH` or `HOST:PORT`. */
export type Tried = { readonly command: readonly [string, ...string[]] } | PluginAddress;

interface Life {
  readonly client: ConnectorServiceClient;
  readonly spec: SpecResponse;
  readonly child?: PluginProcess;
}

const name = "under trial";

/** A plugin that is certified: one connector type through the lives of its process. */
export class Trial implements PluginHandle {
  readonly type: ConnectorType;
  readonly process?: NonNullable<PluginHandle["process"]>;
  readonly #lines: readonly string[];
  readonly #spans: SpanCollector;
  #life: Life;

  private constructor(life: Life, start: () => Promise<Life>, lines: readonly string[], spans: SpanCollector) {
    this.#life = life;
    this.#lines = lines;
    this.#spans = spans;
    this.type = pluginType(describe(life.spec, name), {
      name,
      lease: async () => ({ client: this.#life.client, release: () => {}, died: async () => undefined }),
    });
    if (life.child !== undefined) this.process = this.#processOf(start);
  }

  /** Resolves once the plugin has said what it is; rejects with the reason where it does not. */
  static async start(plugin: Tried, env: Readonly<Record<string, string>> = {}): Promise<Trial> {
    const lines: string[] = [];
    const spans = await SpanCollector.start();
    const start = async (): Promise<Life> => {
      if ("address" in plugin) {
        const client = connect(plugin);
        return { client, spec: await specOf(client, name) };
      }
      const child = await PluginProcess.start({
        name,
        plugin: { command: plugin.command, env: { OTEL_EXPORTER_OTLP_ENDPOINT: spans.url, ...env } },
        logger: noLogger,
        redact: (line) => {
          lines.push(line);
          return line;
        },
      });
      return { client: child.client, spec: child.spec, child };
    };
    try {
      return new Trial(await start(), start, lines, spans);
    } catch (error) {
      spans.close();
      throw error;
    }
  }

  client(): ConnectorServiceClient {
    return this.#life.client;
  }

  health(): HealthClient {
    // The address is of no interest: it goes the same way.
    const channelOverride = this.#life.client.getChannel();
    return new HealthClient("localhost", credentials.createInsecure(), { channelOverride });
  }

  said() {
    const log = this.#lines.map((text) => ({ place: "log" as const, text }));
    return [...log, ...this.#spans.texts.map((text) => ({ place: "span" as const, text }))];
  }

  async stop(): Promise<void> {
    if (this.#life.child) await this.#life.child.stop();
    else this.#life.client.close();
    this.#spans.close();
  }

  #processOf(start: () => Promise<Life>): NonNullable<PluginHandle["process"]> {
    const child = () => this.#life.child as PluginProcess;
    const again = async () => {
      this.#life.client.close();
      this.#life = await start();
    };
    return {
      get pid() {
        return child().pid;
      },
      kill: async () => {
        process.kill(child().pid, "SIGKILL");
        await child().exited;
        await again();
      },
      restart: async () => {
        const begin = performance.now();
        await child().stop();
        const end = await child().exited;
        const seconds = Math.round(performance.now() - begin) / 1000;
        const { leftProcesses } = child();
        await again();
        return { end, seconds, leftProcesses };
      },
    };
  }
}
