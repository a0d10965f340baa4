import type { EventsConfig } from "../sdk/events.ts";
import type { Json, JsonObject } from "../sdk/index.ts";

export interface HttpConfig {
  readonly base_url: string;
  readonly headers?: Texts;
  readonly auth?: AuthConfig;
  readonly timeout?: { readonly connect?: string; readonly read?: string; readonly total?: string };
  readonly tls?: { readonly ca?: string; readonly verify?: boolean };
  readonly compression?: Compression;
  readonly send_identity?: boolean;
  readonly concurrency?: number;
  readonly streams?: { readonly [name: string]: StreamConfig };
}

export type Compression = "none" | "gzip" | "br" | "zstd";
type Texts = { readonly [name: string]: string };

export type AuthConfig =
  | { readonly type: "none" }
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "bearer"; readonly token: string }
  | { readonly type: "api_key"; readonly in?: "header" | "query"; readonly name: string; readonly value: string }
  | OAuth2Config;

export interface OAuth2Config {
  readonly type: "oauth2_client_credentials";
  readonly token_url: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly scopes?: readonly string[];
  readonly params?: Texts;
  readonly client_auth?: "basic" | "body";
}

/** A request as configured: its texts are templates. */
export interface RequestConfig {
  readonly method?: string;
  readonly path?: string;
  readonly query?: JsonObject;
  readonly headers?: Texts;
  readonly body?: Json;
}

export interface StreamConfig extends RequestConfig {
  readonly format?: "auto" | "json" | "ndjson";
  readonly records?: string;
  readonly pagination?: PaginationConfig;
  readonly incremental?: IncrementalConfig;
  readonly key?: readonly string[];
  readonly cloudevents?: EventsConfig;
  readonly append?: WriteConfig;
  readonly upsert?: WriteConfig;
}

interface PageLimits {
  readonly size_param?: string;
  readonly size?: number;
  readonly has_more_path?: string;
  readonly max_pages?: number;
}

export type PaginationConfig = PageLimits &
  (
    | { readonly type: "none" }
    | { readonly type: "page"; readonly param?: string; readonly start?: number; readonly total_path?: string }
    | { readonly type: "offset"; readonly param?: string; readonly start?: number; readonly total_path?: string }
    | { readonly type: "cursor"; readonly param?: string; readonly cursor_path: string }
    | { readonly type: "link"; readonly rel?: string }
    | { readonly type: "next_url"; readonly next_url_path: string }
    | { readonly type: "keyset"; readonly param?: string; readonly field: string; readonly order?: "asc" | "desc" }
  );

export interface IncrementalConfig {
  readonly param?: string;
  readonly format?: "as_is" | "iso" | "date" | "epoch" | "epoch_ms";
  readonly lookback?: string;
  readonly start?: string | number;
}

export interface WriteConfig extends RequestConfig {
  readonly batch?: { readonly records: number; readonly body?: Json; readonly format?: "json" | "ndjson" };
  readonly results?: ResultsConfig;
  readonly answer?: "no_page" | "json" | "any";
  readonly idempotency_key?: boolean | string;
}

export interface ResultsConfig {
  readonly path?: string;
  readonly status?: string;
  readonly message?: string;
  readonly index?: string;
  readonly ok?: readonly string[];
  readonly only_failures?: boolean;
}
