import { linkTo } from "../sdk/http/index.ts";
import type { ConnectorError, Expressions, Json } from "../sdk/index.ts";
import { compiled, settingError, textOf } from "../sdk/index.ts";
import { isHttp } from "./client.ts";
import type { PaginationConfig } from "./config.ts";
import { compare } from "./order.ts";

/** Which page: by number or offset, by cursor, by URL, or after a value. Part of the cursor; null is the first page. */
export type PageState = null | { n: number } | { token: Json } | { url: string } | { after: Json };

/** A page that was read to its end. */
export interface PageRead {
  readonly state: PageState;
  /** Where it was read, without credentials. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The answer without its records. */
  readonly around: Json;
  readonly count: number;
  /** The last record, where `needsLast`. */
  readonly last: Json | undefined;
}

/** The defaults of `param`. */
const params = { page: "page", offset: "offset", cursor: "cursor", keyset: "after" } as const;

/** What is asked for next. */
export class Paginator {
  /** The last record of a page is looked at. */
  readonly needsLast: boolean;
  readonly size: number | undefined;
  readonly maxPages: number;
  readonly at: string;
  readonly #config: PaginationConfig;
  readonly #base: URL;
  /** Undefined where a template has it. */
  readonly #param: string | undefined;
  readonly #value: ((value: Json) => Json | undefined) | undefined;
  readonly #total: ((value: Json) => Json | undefined) | undefined;
  readonly #hasMore: ((value: Json) => Json | undefined) | undefined;
  readonly #credential: string | undefined;

  constructor(
    config: PaginationConfig,
    options: {
      readonly expressions: Expressions;
      /** Where it stands in the config. */
      readonly at: string;
      readonly base: URL;
      /** A template of the request holds `$.page`. */
      readonly isInTemplate: boolean;
      readonly credentialParameter: string | undefined;
    },
  ) {
    const { expressions, at, base, isInTemplate, credentialParameter } = options;
    this.#config = config;
    this.#base = base;
    this.#credential = credentialParameter;
    this.at = at;
    this.needsLast = config.type === "keyset";
    this.size = config.size;
    this.maxPages = config.max_pages ?? Number.POSITIVE_INFINITY;
    const given = "param" in config ? config.param : undefined;
    this.#param =
      given ?? (config.type in params && !isInTemplate ? params[config.type as keyof typeof params] : undefined);
    const path = (text: string | undefined, name: string) =>
      text === undefined ? undefined : compiled(`${at}.${name}`, () => expressions.path(text));
    this.#hasMore = path(config.has_more_path, "has_more_path");
    this.#total = "total_path" in config ? path(config.total_path, "total_path") : undefined;
    if (config.type === "cursor") this.#value = path(config.cursor_path, "cursor_path");
    else if (config.type === "next_url") this.#value = path(config.next_url_path, "next_url_path");
    else if (config.type === "keyset") this.#value = compiled(`${at}.field`, () => expressions.field(config.field));
  }

  /** So many pages in a row without a record go in circles, unless the config knows how many there may be. */
  get maxEmpty(): number {
    return this.#config.max_pages === undefined ? 1_000 : Number.POSITIVE_INFINITY;
  }

  /** Whether a place is one of this kind of pages: the config may have changed since. */
  knows(state: PageState): boolean {
    const { type } = this.#config;
    if (state === null) return true;
    if ("n" in state) return type === "page" || type === "offset";
    if ("token" in state) return type === "cursor";
    return "url" in state ? type === "link" || type === "next_url" : type === "keyset";
  }

  /** What templates have as `$.page`: a number, a cursor, or the last page's last value; null where there is none. */
  valueOf(state: PageState): Json {
    const { type } = this.#config;
    if (state === null) return type === "page" || type === "offset" ? this.#start : null;
    if ("n" in state) return state.n;
    if ("token" in state) return state.token;
    return "after" in state ? state.after : null;
  }

  /** Puts the page's parameters on a URL that is no link of the far side's. */
  apply(url: URL, state: PageState): void {
    const { size, size_param } = this.#config;
    if (size_param !== undefined && size !== undefined) url.searchParams.set(size_param, String(size));
    const value = this.valueOf(state);
    if (this.#param !== undefined && value !== null) url.searchParams.set(this.#param, textOf(value));
  }

  /** Whether a page that is not there says that the one before was the last: where nothing else would have said it. */
  endsBy404(state: PageState): boolean {
    const { type, size } = this.#config;
    return type === "page" && state !== null && size === undefined && !this.#total && !this.#hasMore;
  }

  /** The page after one that was read, or null where that was the last. Throws a ConnectorError where it goes in circles. */
  next(page: PageRead): PageState {
    const config = this.#config;
    const { state, around, count } = page;
    if (this.#hasMore && !this.#hasMore(around)) return null;
    // A server that says what there is may give fewer at a time than it was asked for.
    const isTold = this.#hasMore !== undefined || this.#total !== undefined;
    const isShort = count === 0 || (!isTold && config.size !== undefined && count < config.size);
    switch (config.type) {
      case "none":
        return null;
      case "page": {
        const n = this.valueOf(state) as number;
        return isShort || n - this.#start + 1 >= this.#totalIn(around) ? null : { n: n + 1 };
      }
      case "offset": {
        const n = (this.valueOf(state) as number) + count;
        return isShort || n - this.#start >= this.#totalIn(around) ? null : { n };
      }
      case "cursor": {
        const token = this.#value?.(around);
        if (isNothing(token)) return null;
        if (typeof token === "boolean" || (typeof token === "object" && !JSON.isRawJSON(token))) {
          throw this.#fault("what stands at cursor_path is no text and no number");
        }
        return { token };
      }
      case "link": {
        const link = linkTo(joined(page.headers.link), config.rel ?? "next");
        return link === undefined ? null : this.#linked(link, page.url);
      }
      case "next_url": {
        const link = this.#value?.(around);
        if (isNothing(link)) return null;
        if (typeof link !== "string") throw this.#fault("what stands at next_url_path is no text");
        return this.#linked(link, page.url);
      }
      case "keyset":
        return isShort ? null : this.#after(page);
    }
  }

  /** Why going on would be going in circles, for the message. */
  repeated(): ConnectorError {
    return this.#fault("a page links to one that was read before: it would never end");
  }

  unchanged(): ConnectorError {
    const hint = this.#param === undefined ? "" : `: does the server know the parameter "${this.#param}"?`;
    return this.#fault(`a page holds the same records as the one before it${hint}`);
  }

  empty(pages: number): ConnectorError {
    return this.#fault(`${pages} pages, one after another, had no record and named a next one (max_pages allows more)`);
  }

  tooMany(): ConnectorError {
    return this.#fault(`there are more than ${this.maxPages} pages (max_pages)`);
  }

  get #start(): number {
    const { start, type } = this.#config as { start?: number; type: string };
    return start ?? (type === "page" ? 1 : 0);
  }

  #totalIn(around: Json): number {
    if (!this.#total) return Number.POSITIVE_INFINITY;
    const total = this.#total(around);
    const number = typeof total === "string" && total !== "" ? Number(total) : total;
    if (typeof number !== "number" || Number.isNaN(number)) throw this.#fault("what stands at total_path is no number");
    return number;
  }

  #after({ state, last = null }: PageRead): PageState {
    const { field, order = "asc" } = this.#config as { field: string; order?: "asc" | "desc" };
    const after = this.#value?.(last);
    if (after === undefined || after === null || typeof after === "boolean") {
      throw this.#fault(`the last record of a page has no ${field}`);
    }
    const before = this.valueOf(state);
    if (before !== null) {
      const way = compare(after, before) * (order === "asc" ? 1 : -1);
      if (way === 0) throw this.#fault(`a page ends at the ${field} where the one before it ended: it would never end`);
      if (way < 0) throw this.#fault(`a page ends at a ${field} before that of the page before it: it goes backwards`);
    }
    return { after };
  }

  /** A link of the far side's, without the credentials that it may repeat. */
  #linked(link: string, from: URL): PageState {
    if (!URL.canParse(link, from.href)) throw this.#fault("the link to the next page is no URL");
    const url = new URL(link, from);
    // Behind a proxy that ends TLS, many servers take themselves for http.
    if (from.protocol === "https:" && url.protocol === "http:" && url.host === from.host) url.protocol = "https:";
    if (!isHttp(url)) throw this.#fault("the link to the next page is no http or https URL");
    if (this.#base.protocol === "https:" && url.protocol === "http:") {
      throw this.#fault("the link to the next page leads from https to http");
    }
    if (this.#credential !== undefined) url.searchParams.delete(this.#credential);
    url.username = url.password = url.hash = "";
    return { url: url.href };
  }

  #fault(what: string): ConnectorError {
    return settingError("VALIDATION_ERROR", `${this.at}: ${what}`, this.at);
  }
}

function isNothing(value: Json | undefined): value is null | undefined | false | "" {
  return value === undefined || value === null || value === false || value === "";
}

function joined(header: string | string[] | undefined): string {
  return header === undefined ? "" : [header].flat().join(", ");
}
