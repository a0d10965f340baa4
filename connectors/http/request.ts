import { ConnectorError, compiled, type Expressions, type Json, type JsonObject, textOf } from "../sdk/index.ts";
import type { RequestConfig } from "./config.ts";

/** A request before it is sent. */
export interface Built {
  /** For messages. */
  readonly where: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
}

export interface RequestDefaults {
  readonly method: string;
  /** Below base_url; as it stands, or made of the context. */
  readonly path: string | ((context: Json) => string);
  /** Stands for the path in messages. */
  readonly label: string;
  /** Of the connector: Accept and Content-Type, in lower case, go before what is sent of itself. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A request of the config, compiled: built anew for each record or page. */
export class RequestTemplate {
  readonly method: string;
  readonly where: string;
  readonly #base: string;
  readonly #own: Readonly<Record<string, string>>;
  readonly #path: ((context: Json) => string) | string;
  readonly #query: ((context: Json) => Json) | undefined;
  readonly #headers: ((context: Json) => Json) | undefined;
  readonly #body: ((context: Json) => Json) | undefined;

  /** `at`: where the request stands in the config, for errors. */
  constructor(config: RequestConfig, defaults: RequestDefaults, base: URL, expressions: Expressions, at: string) {
    const { path, query, headers, body } = config;
    this.method = config.method ?? defaults.method;
    this.where = whereOf(this.method, base, (path ?? defaults.label).replace(/\?.*$/, ""));
    this.#base = base.href.replace(/\/$/, "");
    this.#own = defaults.headers;
    this.#path =
      path === undefined ? defaults.path : compiled(`${at}.path`, () => expressions.text(path, percentEncoded));
    const template = (value: Json | undefined, name: string) =>
      value === undefined ? undefined : compiled(`${at}.${name}`, () => expressions.template(value));
    this.#query = template(query, "query");
    this.#headers = template(headers as JsonObject | undefined, "headers");
    this.#body = template(body, "body");
  }

  get hasBody(): boolean {
    return this.#body !== undefined;
  }

  build(context: Json): Built {
    const path = typeof this.#path === "string" ? this.#path : this.#path(context);
    const url = urlBelow(this.#base, path);
    if (this.#query) addQuery(url, this.#query(context) as JsonObject);
    const headers = { ...this.#own, ...(this.#headers ? headersOf(this.#headers(context) as JsonObject) : {}) };
    const body = this.#body ? bodyOf(this.#body(context), headers) : undefined;
    return { where: this.where, method: this.method, url, headers, body };
  }
}

/** A request in messages. The path of base_url may be a secret, as that of a webhook, and is left out. */
export function whereOf(method: string, base: URL, label: string): string {
  return `${method} ${base.origin}${base.pathname === "/" ? "" : "/…"}${label}`;
}

/** What a connector's own headers say of the form of bodies. */
export function negotiated(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return Object.fromEntries(lower.filter(([name]) => name === "accept" || name === "content-type"));
}

/** Whatever a record fills in, the URL stays below base_url. */
export function urlBelow(base: string, path: string): URL {
  const isSlashed = path === "" || path.startsWith("/") || path.startsWith("?");
  const text = `${base}${isSlashed ? "" : "/"}${path}`;
  const [before = ""] = path.split(/[?#]/, 1);
  const leaves = before.split(/[/\\]/).some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  if (leaves || !URL.canParse(text)) {
    const message = leaves
      ? `The path has a segment "." or "..", which would lead elsewhere.`
      : "The path makes no URL.";
    throw new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
  }
  const url = new URL(text);
  url.hash = "";
  return url;
}

/** Null is left out, an array is sent as several, an object as its JSON. */
export function addQuery(url: URL, query: JsonObject): void {
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null) url.searchParams.append(name, textOf(each));
    }
  }
}

export function headersOf(given: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === null) continue;
    const text = textOf(value);
    // What would end the header, and what no header can hold.
    if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) {
      const message = `The header ${name} would hold a character that no header may hold.`;
      throw new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
    }
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

/** A text is sent as it is, an object as a form where its Content-Type says so, and all else as JSON. */
export function bodyOf(value: Json, headers: Record<string, string>): Buffer {
  if (typeof value === "string") {
    headers["content-type"] ??= "text/plain; charset=utf-8";
    return Buffer.from(value);
  }
  const type = headers["content-type"];
  if (type?.startsWith("application/x-www-form-urlencoded") && typeof value === "object" && value !== null) {
    const form = new URL("http://form");
    addQuery(form, value as JsonObject);
    return Buffer.from(form.searchParams.toString());
  }
  headers["content-type"] ??= "application/json";
  return Buffer.from(JSON.stringify(value));
}

export function percentEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
