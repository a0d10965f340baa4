import { jetstreamManager } from "@nats-io/jetstream";
import {
  type Connector,
  type ConnectorContext,
  type ConnectorType,
  compiled,
  type Destination,
  type DestinationOptions,
  type Expressions,
  type Json,
  nearest,
  parseDuration,
  type Source,
  type SourceOptions,
  type StreamInfo,
  settingError,
} from "../sdk/index.ts";
import { type NatsConfig, natsConfig, type StreamConfig } from "./config.ts";
import { type Link, openLink } from "./connection.ts";
import { CoreSource } from "./core-source.ts";
import { isTemplate, NatsDestination } from "./destination.ts";
import { apiError } from "./errors.ts";
import { freeName, hearsShared, isReservedStream, isReservedSubject } from "./reserved.ts";
import { StreamSource } from "./stream-source.ts";

export type { NatsConfig } from "./config.ts";

/** NATS: core subjects, JetStream, request and reply; see docs/connectors/nats.md. */
export const nats: ConnectorType<NatsConfig> = {
  type: "nats",
  version: "1.0.0",
  title: "NATS",
  description: "Reads and writes subjects of a NATS server: JetStream, core messages, and requests with their replies.",
  config: natsConfig,
  stream: freeName,
  capabilities: {
    source: { modes: ["full", "incremental"], ownCursor: true, endless: true },
    destination: { modes: ["append"] },
  },
  create: (config, context) => new Nats(config, context),
};

class Nats implements Connector {
  readonly provider: string | undefined;
  readonly #config: NatsConfig;
  readonly #expressions: Expressions;

  constructor(config: NatsConfig, { expressions }: ConnectorContext) {
    if (!expressions) throw settingError("VALIDATION_ERROR", "This host has no mapping language", "config");
    this.#config = config;
    this.#expressions = expressions;
    this.provider = config.servers[0]?.replace(/^\w+:\/\/|\/$/g, "");
  }

  async check(signal: AbortSignal): Promise<void> {
    const { connection, close } = await this.#open(signal);
    await connection.flush().finally(close);
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    const link = await this.#open(signal);
    const names = new Set(Object.keys(this.#config.streams ?? {}));
    try {
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      for await (const name of manager.streams.names()) if (!isReservedStream(name)) names.add(name);
    } catch {
      // Without JetStream, or the right to ask it, there are the streams that are configured.
    } finally {
      await link.close();
    }
    return Array.from(names, (name) => ({ name, schema: {} }));
  }

  async openSource(options: SourceOptions): Promise<Source> {
    const { stream: name, endless = false, signal } = options;
    const { config, at } = this.#stream(name, "source.stream");
    const { via = "jetstream", subject } = config;
    if (subject !== undefined && isTemplate(subject)) {
      throw settingError("VALIDATION_ERROR", "A source reads a subject, and no template of some", `${at}.subject`);
    }
    if (via !== "jetstream" && !endless) {
      const message = `${via === "core" ? "Core messages have" : "Requests have"} no end: they are read with trigger event alone`;
      throw settingError("VALIDATION_ERROR", message, "trigger.type");
    }
    if (via !== "jetstream" && config.queue !== undefined && hearsShared(subject ?? name)) {
      const message = `With a queue, ${subject ?? name} would take what nodes of sluice ask each other; name what is to be read more closely, or leave queue out`;
      throw settingError("VALIDATION_ERROR", message, `${at}.queue`);
    }
    const reply = via === "request" ? this.#reply(config, at) : undefined;
    const link = await this.#open(signal);
    try {
      if (via !== "jetstream") {
        return new CoreSource({ link, subject: subject ?? name, config, options, ...(reply && { reply }) });
      }
      const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: this.#readMs() });
      // All of it, each time, is read beside whoever shares the consumer.
      const { durable: _, ...byItself } = config;
      const read = options.mode === "full" ? byItself : config;
      return await StreamSource.open({
        link,
        manager,
        stream: config.stream ?? this.#named(name),
        config: read,
        options,
      });
    } catch (error) {
      await link.close();
      signal.throwIfAborted();
      throw error;
    }
  }

  async openDestination(options: DestinationOptions): Promise<Destination> {
    const { stream: name, mode, idempotencyWindowMs: windowMs, timeout, signal } = options;
    if (mode !== "append") throw settingError("VALIDATION_ERROR", "NATS has mode append alone", "destination.mode");
    const { config, at } = this.#stream(name, "destination.stream");
    const { via = "jetstream", subject = name } = config;
    const connect = (until?: AbortSignal) => this.#open(until, timeout?.connectMs);
    const link = await connect(signal);
    try {
      const isKnown = via === "jetstream" && !isTemplate(subject);
      const keptMs = isKnown ? await this.#keysMs(link, subject) : 0;
      const dedupes = windowMs !== undefined && keptMs >= windowMs;
      const readMs = this.#config.timeout?.read === undefined ? (timeout?.readMs ?? this.#readMs()) : this.#readMs();
      const expressions = this.#expressions;
      return new NatsDestination({ connect, link, name, config, at, expressions, readMs, dedupes });
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  async close(): Promise<void> {}

  #open(signal?: AbortSignal, connectMs?: number): Promise<Link> {
    const { timeout } = this.#config;
    return openLink(this.#config, connectMs ?? (parseDuration(timeout?.connect ?? "5s") as number), signal);
  }

  #readMs(): number {
    return parseDuration(this.#config.timeout?.read ?? "10s") as number;
  }

  /** How long the stream of a subject remembers the ids of messages. */
  async #keysMs(link: Link, subject: string): Promise<number> {
    try {
      const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: this.#readMs() });
      const name = await manager.streams.find(subject);
      const { config } = await manager.streams.info(name);
      return config.duplicate_window / 1_000_000;
    } catch (error) {
      if (/no stream matches/i.test(String(error))) {
        throw settingError("NOT_FOUND", `No stream takes ${subject}`, "destination.stream");
      }
      throw apiError(error, `The stream of ${subject} cannot be found`, "destination.stream");
    }
  }

  /** `path`: of the name. */
  #stream(name: string, path: string): { config: StreamConfig; at: string } {
    const { streams = {} } = this.#config;
    const config = Object.hasOwn(streams, name) ? (streams[name] as StreamConfig) : {};
    const used = [name, config.subject, config.stream].filter((each) => each !== undefined);
    const reserved = used.find((each) => isReservedSubject(each) || isReservedStream(each));
    if (reserved !== undefined) {
      throw settingError("VALIDATION_ERROR", `${reserved} is what nodes of sluice work with`, path);
    }
    const isPlain = /^[^.[\]'"*\s]+$/.test(name);
    return { config, at: isPlain ? `config.streams.${name}` : `config.streams[${JSON.stringify(name)}]` };
  }

  /** A name that is none of the config's is that of a JetStream stream. */
  #named(name: string): string {
    if (!/[\s.*>/\\]/.test(name)) return name;
    const near = nearest(name, Object.keys(this.#config.streams ?? {}));
    const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    throw settingError("NOT_FOUND", `${JSON.stringify(name)} is no name of a JetStream stream${hint}`, "source.stream");
  }

  #reply({ reply = { status: "accepted" } }: StreamConfig, at: string): (record: Json) => Json {
    return compiled(`${at}.reply`, () => this.#expressions.template(reply));
  }
}
