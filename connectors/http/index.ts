import {
  type CallLimit,
  type Connector,
  type ConnectorContext,
  ConnectorError,
  type ConnectorType,
  type Correlation,
  compiled,
  type Destination,
  type DestinationOptions,
  type Expressions,
  inferSchema,
  type Json,
  type JsonSchema,
  type LookupResult,
  nearest,
  parseDuration,
  type Source,
  type SourceOptions,
  type StreamInfo,
  settingError,
  textOf,
} from "../sdk/index.ts";
import { AddressGuard } from "./addresses.ts";
import { type Auth, createAuth } from "./auth.ts";
import { HttpClient, within } from "./client.ts";
import type { HttpConfig, StreamConfig } from "./config.ts";
import { httpConfig } from "./config-schema.ts";
import { HttpDestination } from "./destination.ts";
import { statusError } from "./errors.ts";
import { lookUp, lookupRequest } from "./lookup.ts";
import { Redactor } from "./redact.ts";
import { headersOf, negotiated, percentEncoded, whereOf } from "./request.ts";
import { Semaphore } from "./semaphore.ts";
import { HttpSource } from "./source.ts";
import { defaultPath, ReadableStream, settingOf } from "./stream.ts";

export type { HttpConfig } from "./config.ts";

/** JSON APIs over HTTP; see docs/connectors/http.md. */
export const http: ConnectorType<HttpConfig> = {
  type: "http",
  version: "1.0.0",
  title: "HTTP API",
  description: "Reads JSON and NDJSON page by page, writes records by requests of one or of many, and looks things up.",
  config: httpConfig,
  capabilities: {
    source: { modes: ["full", "incremental"] },
    destination: { modes: ["append", "upsert"] },
    lookup: { request: lookupRequest, escaped: ["path"], timesRequests: true },
  },
  create: (config, context) => new Http(config, context),
};

const defaultConcurrency = 4;
/** Headers whose values are no secrets. */
const isOpen = /^(accept(-.*)?|content-type|user-agent)$/i;
/** How much of a stream is looked at to tell its schema. */
const sample = { records: 100, bytes: 1024 * 1024 };

class Http implements Connector {
  readonly provider: string;
  readonly #config: HttpConfig;
  readonly #base: URL;
  readonly #expressions: Expressions;
  readonly #guard: AddressGuard;
  readonly #auth: Auth;
  readonly #redactor: Redactor;
  readonly #slots: Semaphore;
  #lookupClient: HttpClient | undefined;

  constructor(config: HttpConfig, { expressions, allowAddresses = [], redact }: ConnectorContext) {
    if (!expressions) throw settingError("VALIDATION_ERROR", "This host has no mapping language", "config");
    this.#config = config;
    this.#base = new URL(config.base_url);
    this.provider = this.#base.host;
    this.#expressions = expressions;
    this.#guard = new AddressGuard(allowAddresses);
    this.#redactor = new Redactor(redact);
    this.#auth = createAuth(config.auth, this.#redactor);
    this.#slots = new Semaphore(config.concurrency ?? defaultConcurrency);
    const streams = Object.values(config.streams ?? {}).flatMap((each) => [each, each.append, each.upsert]);
    for (const { headers = {} } of [config, ...streams.filter((each) => each !== undefined)]) {
      for (const [name, value] of Object.entries(headers)) if (!isOpen.test(name)) this.#redactor.add(value);
    }
  }

  async check(signal: AbortSignal, correlation?: Correlation): Promise<void> {
    const [readable] = Object.entries(this.#config.streams ?? {}).filter(([, stream]) => isRead(stream));
    if (readable) await this.#sample(readable[0], signal, correlation);
    else await this.#reach(signal, correlation);
  }

  async discover(signal: AbortSignal, correlation?: Correlation): Promise<StreamInfo[]> {
    const streams: StreamInfo[] = [];
    for (const [name, config] of Object.entries(this.#config.streams ?? {})) {
      const key = config.key ? { key: config.key } : {};
      if (!isRead(config)) {
        streams.push({ name, schema: {}, ...key });
        continue;
      }
      const schema = inferSchema(await this.#sample(name, signal, correlation));
      streams.push({ name, schema, cursorFields: scalarsOf(schema), ...key });
    }
    return streams;
  }

  async openSource(options: SourceOptions): Promise<Source> {
    return this.#source(options, this.#client());
  }

  async openDestination({ stream, mode, key, timeout }: DestinationOptions): Promise<Destination> {
    if (mode === "replace")
      throw settingError("VALIDATION_ERROR", "An HTTP API has no mode replace", "destination.mode");
    const config = this.#stream(stream, "destination.stream");
    const isUpsert = mode === "upsert";
    if (isUpsert && key.length === 0)
      throw settingError("VALIDATION_ERROR", "Mode upsert needs a key", "destination.key");
    const write = (isUpsert ? config.upsert : config.append) ?? {};
    // What goes with others has no URL of its own.
    const isAlone = write.batch === undefined && config.cloudevents?.mode !== "batch";
    const keyInPath = isUpsert && isAlone ? key : [];
    const client = this.#client(timeout);
    try {
      return new HttpDestination(client, {
        config: write,
        defaults: {
          method: isUpsert ? "PUT" : "POST",
          headers: negotiated(this.#config.headers),
          label: labelOf(stream, config, keyInPath),
          path: this.#writePath(stream, config, keyInPath),
        },
        base: this.#base,
        expressions: this.#expressions,
        at: `${settingOf(stream)}.${mode}`,
        concurrency: this.#config.concurrency ?? defaultConcurrency,
        totalMs: this.#totalMs(timeout?.totalMs),
        isUpsert,
        redact: this.#redactor.redact,
        events: config.cloudevents,
      });
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  lookup(
    requests: readonly Json[],
    signal: AbortSignal,
    correlation?: Correlation,
    limit?: CallLimit,
    timeoutMs?: number,
  ): Promise<LookupResult> {
    this.#lookupClient ??= this.#client();
    const settings = {
      client: this.#lookupClient,
      base: this.#base,
      slots: this.#slots,
      concurrency: this.#config.concurrency ?? defaultConcurrency,
      totalMs: this.#totalMs(timeoutMs),
      redact: this.#redactor.redact,
      headers: negotiated(this.#config.headers),
      correlation,
    };
    return lookUp(requests, settings, signal, limit);
  }

  async close(): Promise<void> {
    await this.#lookupClient?.close();
    this.#auth.close();
  }

  #client(timeout?: DestinationOptions["timeout"]): HttpClient {
    const { headers = {}, tls = {}, compression = "none", concurrency = defaultConcurrency } = this.#config;
    const { send_identity: sendsIdentity = false } = this.#config;
    const { connectMs, readMs } = { ...this.#timeouts(), ...timeout };
    return new HttpClient({
      baseUrl: this.#base,
      headers: headersOf({ ...headers }),
      auth: this.#auth,
      guard: this.#guard,
      tls,
      compression,
      sendsIdentity,
      connectMs,
      readMs,
      connections: concurrency,
      redact: this.#redactor.redact,
    });
  }

  /** Of a request, where the host has a limit, too: the shorter one of those that were given. */
  #totalMs(hostsMs: number | undefined): number {
    const { totalMs } = this.#timeouts();
    if (hostsMs === undefined) return totalMs;
    return this.#config.timeout?.total === undefined ? hostsMs : Math.min(totalMs, hostsMs);
  }

  #timeouts(): { connectMs: number; readMs: number; totalMs: number } {
    const { connect = "5s", read = "30s", total = "60s" } = this.#config.timeout ?? {};
    return { connectMs: parseDuration(connect), readMs: parseDuration(read), totalMs: parseDuration(total) };
  }

  /** Where streams are configured there are no others; else any name is one. */
  #stream(name: string, path: string): StreamConfig {
    const { streams } = this.#config;
    if (streams === undefined) return {};
    const found = Object.hasOwn(streams, name) ? streams[name] : undefined;
    if (found !== undefined) return found;
    const near = nearest(name, Object.keys(streams));
    const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    throw settingError("NOT_FOUND", `The connector has no stream ${JSON.stringify(name)}${hint}`, path);
  }

  #source(options: SourceOptions, client: HttpClient): HttpSource {
    const { stream, mode, cursorField } = options;
    const path = "source.cursor_field";
    if (mode === "incremental" && cursorField === undefined) {
      throw settingError("VALIDATION_ERROR", "Mode incremental needs a cursor_field", path);
    }
    const readable = new ReadableStream(stream, this.#stream(stream, "source.stream"), {
      config: this.#config,
      base: this.#base,
      expressions: this.#expressions,
      credentialParameter: this.#auth.queryParameter,
    });
    const field =
      mode === "incremental" && cursorField !== undefined
        ? { name: cursorField, of: compiled(path, () => this.#expressions.field(cursorField)) }
        : undefined;
    const total = { ms: this.#timeouts().totalMs, isStrict: this.#config.timeout?.total !== undefined };
    return new HttpSource(readable, client, options, this.#redactor.redact, field, total);
  }

  /** The first records of a stream. */
  async #sample(stream: string, signal: AbortSignal, correlation?: Correlation): Promise<Json[]> {
    const client = this.#client();
    const ends = new AbortController();
    try {
      const options = {
        stream,
        mode: "full" as const,
        cursorField: undefined,
        from: null,
        batch: sample,
        ...(correlation && { correlation }),
      };
      const source = this.#source({ ...options, signal: AbortSignal.any([signal, ends.signal]) }, client);
      return await source.sample();
    } finally {
      ends.abort();
      await client.close();
    }
  }

  /** base_url itself answers, whatever it says of itself, and takes the credentials. */
  async #reach(signal: AbortSignal, correlation?: Correlation): Promise<void> {
    const client = this.#client();
    const redact = this.#redactor.redact;
    const where = whereOf("GET", this.#base, "");
    const request = { where, method: "GET", url: this.#base, correlation };
    try {
      const answer = await within({ signal, ms: this.#timeouts().totalMs, where, redact }, (limit) =>
        client.fetch({ ...request, headers: { accept: "*/*" }, followsRedirects: true, signal: limit }, sample.bytes),
      );
      if (answer.status === 401 || answer.status === 403 || answer.status >= 500) {
        throw statusError(answer, where, "config.base_url", redact);
      }
    } finally {
      await client.close();
    }
  }

  /** The stream's path, with a segment for each value of the key. */
  #writePath(name: string, { path }: StreamConfig, key: readonly string[]) {
    const own = path === undefined ? undefined : this.#expressions.text(path, percentEncoded);
    const base = (context: Json) => (own === undefined ? defaultPath(name) : own(context)).replace(/\/$/, "");
    if (key.length === 0) return base;
    const fields = key.map((field) => compiled("destination.key", () => this.#expressions.field(field)));
    return (context: Json) => {
      const parts = fields.map((of, index) => {
        const value = of(context);
        if (value === undefined || value === null || value === "") {
          const message = `The record has no ${key[index]}, which its URL is made of.`;
          throw new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
        }
        return percentEncoded(textOf(value));
      });
      return `${base(context)}/${parts.join("/")}`;
    };
  }
}

/** The path of a write in messages: with the names of what is filled in. */
function labelOf(name: string, { path }: StreamConfig, key: readonly string[]): string {
  const own = (path ?? defaultPath(name)).replace(/\?.*$/, "");
  return [own, ...key.map((field) => `{${field}}`)].join("/");
}

/** A stream that only writes are configured for is not read. */
function isRead({ append, upsert, ...rest }: StreamConfig): boolean {
  const { path: _, key: __, cloudevents: ___, ...reading } = rest;
  return (append === undefined && upsert === undefined) || Object.keys(reading).length > 0;
}

/** The members of records that may be a cursor field. */
function scalarsOf(schema: JsonSchema): string[] {
  const { properties = {} } = (typeof schema === "object" ? schema : {}) as { properties?: Record<string, JsonSchema> };
  return Object.entries(properties).flatMap(([name, member]) => {
    const types = typeof member === "object" ? [member.type ?? []].flat() : [];
    const isScalar = types.some((type) => ["string", "integer", "number"].includes(type as string));
    const isPlain = /^[^.[\]'"*\s]+$/.test(name);
    return isScalar ? [isPlain ? name : `[${JSON.stringify(name)}]`] : [];
  });
}
