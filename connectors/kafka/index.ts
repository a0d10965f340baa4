import type { ConnectionOptions } from "node:tls";
import {
  type Connector,
  type ConnectorContext,
  type ConnectorType,
  type Destination,
  type DestinationOptions,
  inferSchema,
  type Json,
  parseDuration,
  parseExact,
  type Source,
  type SourceOptions,
  type StreamInfo,
  settingError,
} from "../sdk/index.ts";
import type { KafkaConfig, StreamConfig, TlsConfig } from "./config.ts";
import { kafkaConfig } from "./config-schema.ts";
import { KafkaDestination } from "./destination.ts";
import { KafkaClient } from "./kafkajs.ts";
import { KafkaSource } from "./source.ts";
import { TopicChoice } from "./topics.ts";

export type { KafkaConfig } from "./config.ts";

/** Topics of a Kafka cluster; see docs/connectors/kafka.md. */
export const kafka: ConnectorType<KafkaConfig> = {
  type: "kafka",
  version: "1.0.0",
  title: "Kafka",
  description: "Reads topics, alone or in a consumer group, to their end or endlessly, and writes records to a topic.",
  config: kafkaConfig,
  capabilities: {
    source: { modes: ["full", "incremental"], ownCursor: true, endless: true },
    destination: { modes: ["append", "upsert"] },
  },
  create: (config, context) => new Kafka(config, context),
};

/** How much is looked at to tell the schema of a stream, and of how many streams. */
const sample = { records: 100, bytes: 1024 * 1024 };
const sampledStreams = 100;
const sampledAtOnce = 10;

class Kafka implements Connector {
  readonly provider: string | undefined;
  readonly #config: KafkaConfig;
  readonly #context: ConnectorContext;

  constructor(config: KafkaConfig, context: ConnectorContext) {
    this.#config = config;
    this.#context = context;
    this.provider = (config.brokers ?? context.kafkaBrokers)?.[0];
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.#with(signal, async (client) => {
      const streams = Object.keys(this.#config.streams ?? {});
      if (streams.length === 0) await client.metadata("all");
      for (const name of streams) {
        const { at, config } = this.#stream(name);
        await new TopicChoice(name, config, at, at).partitions(client);
      }
    });
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    const found = await this.#with(signal, (client) => client.metadata("all"));
    const own = Object.keys(this.#config.streams ?? {});
    const topics = found.filter(({ isInternal, topicErrorCode }) => !isInternal && topicErrorCode === 0);
    const names = [...new Set([...own, ...topics.map(({ topic }) => topic).sort()])];
    const streams: StreamInfo[] = [];
    for (let start = 0; start < names.length; start += sampledAtOnce) {
      const some = names.slice(start, start + sampledAtOnce).map(async (name) => {
        return { name, schema: start < sampledStreams ? inferSchema(await this.#sample(name, signal)) : {} };
      });
      streams.push(...(await Promise.all(some)));
    }
    return streams;
  }

  async openSource(options: SourceOptions): Promise<Source> {
    const { at, config } = this.#stream(options.stream);
    const choice = new TopicChoice(options.stream, config, at, "source.stream");
    const sessionMs = parseDuration(this.#config.session_timeout ?? "10s");
    const client = this.#client();
    try {
      const source = new KafkaSource(client, { settings: config, at, choice, sessionMs }, options);
      await source.open();
      return source;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async openDestination({ stream, mode, key, timeout }: DestinationOptions): Promise<Destination> {
    if (mode === "replace") throw settingError("VALIDATION_ERROR", "A topic has no mode replace", "destination.mode");
    if (mode === "upsert" && key.length === 0) {
      throw settingError("VALIDATION_ERROR", "Mode upsert needs a key", "destination.key");
    }
    const { expressions } = this.#context;
    if (!expressions) throw settingError("VALIDATION_ERROR", "This host has no mapping language", "config");
    const { at, config } = this.#stream(stream);
    const client = this.#client(timeout);
    try {
      const destination = new KafkaDestination(client, {
        settings: config,
        at,
        choice: new TopicChoice(stream, config, at, "destination.stream"),
        key: mode === "upsert" ? key : [],
        expressions,
        patienceMs: timeout?.readMs ?? this.#readMs,
      });
      await destination.open();
      return destination;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async close(): Promise<void> {}

  get #readMs(): number {
    return parseDuration(this.#config.timeout?.read ?? "30s");
  }

  /** A stream's settings over those of the connector. */
  #stream(name: string): { readonly at: string; readonly config: StreamConfig } {
    const {
      streams = {},
      brokers: _,
      client_id: __,
      sasl: ___,
      tls: ____,
      timeout: _____,
      session_timeout: ______,
      ...all
    } = this.#config;
    const own = Object.hasOwn(streams, name) ? streams[name] : undefined;
    if (!own) return { at: "config", config: all };
    const write = all.write || own.write ? { write: { ...all.write, ...own.write } } : {};
    return { at: `config.streams.${name}`, config: { ...all, ...own, ...write } };
  }

  #client(timeout?: DestinationOptions["timeout"]): KafkaClient {
    const { sasl, client_id: clientId = "sluice", brokers = this.#context.kafkaBrokers ?? [] } = this.#config;
    if (brokers.length === 0) {
      const message = "No brokers are named, and SLUICE_KAFKA_BROKERS is not set";
      throw settingError("VALIDATION_ERROR", message, "config.brokers");
    }
    return new KafkaClient({
      brokers: brokers.map((each) => (/:\d+$/.test(each) ? each : `${each}:9092`)),
      clientId,
      tls: tlsOptions(this.#config.tls),
      sasl: sasl ?? null,
      connectMs: timeout?.connectMs ?? parseDuration(this.#config.timeout?.connect ?? "5s"),
      readMs: timeout?.readMs ?? this.#readMs,
    });
  }

  async #with<T>(signal: AbortSignal, work: (client: KafkaClient) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const client = this.#client();
    const close = () => client.close();
    signal.addEventListener("abort", close);
    try {
      return await work(client);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", close);
      client.close();
    }
  }

  /** The first records of a stream; what is no JSON is left out. */
  async #sample(stream: string, signal: AbortSignal): Promise<Json[]> {
    const source = await this.openSource({
      stream,
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: sample,
      signal,
    });
    try {
      for await (const { data, count } of source.read()) {
        if (count === 0) continue;
        return Buffer.from(data)
          .toString()
          .split("\n")
          .flatMap((text) => {
            try {
              return [parseExact(text)];
            } catch {
              return [];
            }
          });
      }
      return [];
    } finally {
      await source.close();
    }
  }
}

function tlsOptions(config: boolean | TlsConfig | undefined): ConnectionOptions | null {
  if (config === undefined || config === false) return null;
  if (config === true) return {};
  const { server_name: servername, verify, ...pem } = config;
  return { ...pem, ...(servername === undefined ? {} : { servername }), rejectUnauthorized: verify ?? true };
}
