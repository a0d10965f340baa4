import { type Headers, isBinary } from "../sdk/cloudevents.ts";
import type { EventsConfig } from "../sdk/events.ts";
import type { Expressions, Json } from "../sdk/index.ts";
import { compiled } from "../sdk/index.ts";
import type { HttpConfig, IncrementalConfig, PaginationConfig, StreamConfig } from "./config.ts";
import { type Cutter, LineCutter, type Take, WholeCutter } from "./cutter.ts";
import { one } from "./errors.ts";
import { BinaryEventCutter } from "./events.ts";
import { JsonCutter } from "./json-cutter.ts";
import { Paginator } from "./pagination.ts";
import { negotiated, percentEncoded, RequestTemplate } from "./request.ts";

export interface StreamContext {
  readonly config: HttpConfig;
  readonly base: URL;
  readonly expressions: Expressions;
  readonly credentialParameter: string | undefined;
}

/** A stream as a source, compiled. */
export class ReadableStream {
  readonly name: string;
  /** The setting that stands for it in errors. */
  readonly at: string;
  readonly request: RequestTemplate;
  readonly paginator: Paginator;
  readonly incremental: IncrementalConfig;
  /** Nothing of a request says from which value on records are wanted. */
  readonly readsAll: boolean;
  readonly events: EventsConfig | undefined;
  readonly #config: StreamConfig;
  readonly #names: readonly string[] | undefined;
  readonly #find: (document: Json) => Json | undefined;

  constructor(name: string, config: StreamConfig, context: StreamContext) {
    const { base, expressions, credentialParameter } = context;
    const { headers: own } = context.config;
    const at = settingOf(name);
    const templates = JSON.stringify([config.path, config.query, config.headers, config.body]);
    const mentions = (variable: string) => new RegExp(`\\{\\{[^}]*\\$(\\.|\\[.{1,2})${variable}\\b`).test(templates);
    const pagination: PaginationConfig = config.pagination ?? { type: "link" };
    const records = config.records ?? "$";
    const path = defaultPath(name);
    const defaults = { method: "GET", path, label: path, headers: negotiated(own) };
    this.name = name;
    this.at = at;
    this.#config = config;
    this.request = new RequestTemplate(config, defaults, base, expressions, at);
    this.paginator = new Paginator(pagination, {
      expressions,
      at: `${at}.pagination`,
      base,
      isInTemplate: mentions("page"),
      credentialParameter,
    });
    this.incremental = config.incremental ?? {};
    this.readsAll = this.incremental.param === undefined && !mentions("since");
    this.events = config.cloudevents;
    // All elements of an array are what the array stands for.
    const array = records.replace(/(?<=^\$|\w|\])\[\*\]$/, "");
    this.#names = compiled(`${at}.records`, () => expressions.names(array));
    this.#find = compiled(`${at}.records`, () => expressions.path(records));
  }

  /** By the Content-Type, unless the config says. */
  cutter(headers: Headers, take: Take): Cutter {
    if (this.events && isBinary(headers)) return new BinaryEventCutter(headers, take);
    const contentType = one(headers["content-type"] as string | string[] | undefined) ?? "";
    const { format = "auto" } = this.#config;
    const isLines = /^application\/(x-)?(ndjson|jsonl|json-?lines|json-seq|stream\+json)\b/i.test(contentType);
    if (format === "ndjson" || (format === "auto" && isLines)) return new LineCutter(take);
    return this.#names ? new JsonCutter(this.#names, take) : new WholeCutter(this.#find, take);
  }
}

/** Where a stream's settings stand. */
export function settingOf(name: string): string {
  return /^[^.[\]'"*\s]+$/.test(name) ? `config.streams.${name}` : `config.streams[${JSON.stringify(name)}]`;
}

/** A stream's name as a path. One that begins with a slash is a path already. */
export function defaultPath(name: string): string {
  return name.startsWith("/") ? name : `/${percentEncoded(name).replaceAll("%2F", "/")}`;
}
