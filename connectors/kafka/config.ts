import type { EventsConfig } from "../sdk/events.ts";
import type { Json, JsonObject } from "../sdk/index.ts";
import type { Compression } from "./compression.ts";

export interface KafkaConfig extends StreamSettings {
  readonly brokers?: readonly string[];
  readonly client_id?: string;
  readonly sasl?: {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  };
  readonly tls?: boolean | TlsConfig;
  readonly timeout?: { readonly connect?: string; readonly read?: string };
  readonly session_timeout?: string;
  readonly streams?: { readonly [name: string]: StreamConfig };
}

export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly server_name?: string;
  readonly verify?: boolean;
}

export type Format = "json" | "text" | "base64";

/** For all streams, or for one of them. */
export interface StreamSettings {
  readonly group?: string;
  readonly start?: string;
  readonly on_lost?: "dead_letter" | "fail";
  readonly record?: "value" | "message";
  readonly format?: Format;
  readonly key_format?: Format;
  readonly tombstones?: "null" | "skip";
  readonly cloudevents?: EventsConfig;
  readonly write?: WriteConfig;
}

export interface StreamConfig extends StreamSettings {
  readonly topic?: string;
  readonly topics?: readonly string[];
  readonly pattern?: string;
}

export interface WriteConfig {
  readonly key?: Json;
  readonly value?: Json;
  readonly headers?: JsonObject;
  readonly id_header?: string;
  readonly partition?: string;
  readonly partitioner?: "murmur2" | "crc32" | "round_robin";
  readonly compression?: Compression;
  readonly batch_bytes?: number;
}
