import { ConnectorError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Api, ApiAnswer } from "./api.ts";
import { linkTo } from "./link.ts";

/** How a list goes on. Names are those of query parameters, `path`s lead through the answer: `meta.next`. */
export type Paging =
  | { readonly by: "page"; readonly param: string; readonly first?: number; readonly size?: readonly [string, number] }
  | { readonly by: "offset"; readonly param: string; readonly size: readonly [string, number] }
  | { readonly by: "cursor"; readonly param: string; readonly path: string; readonly size?: readonly [string, number] }
  | { readonly by: "link"; readonly size?: readonly [string, number] }
  | { readonly by: "next_url"; readonly path: string; readonly size?: readonly [string, number] };

/** A place in a list: which page. JSON, for a cursor. */
export interface PagePlace {
  /** Value of the parameter, or the URL of the page; null: the first. */
  readonly at: string | number | null;
}

export const firstPage: PagePlace = { at: null };

/** So many pages are remembered that a circle of as many, and no more, is noticed. */
const mostVisited = 100_000;

/** Notices a list that goes in circles: it would be read for ever. */
export class CircleGuard {
  readonly #path: string;
  readonly #visited = new Set<PagePlace["at"]>();
  #before = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws where the page was read before, or holds what the one before it held: a parameter that is ignored. */
  visit({ at }: PagePlace, items: readonly Json[]): void {
    if (this.#visited.has(at)) throw odd(`${this.#path}: a page leads to one that was read before`);
    if (this.#visited.size === mostVisited) this.#visited.clear();
    this.#visited.add(at);
    const text = JSON.stringify(items);
    if (items.length > 0 && text === this.#before) {
      throw odd(`${this.#path}: a page holds the same records as the one before it`);
    }
    this.#before = text;
  }
}

/** One page, and where the next one is; undefined: there is none. */
export async function readPage(
  api: Api,
  {
    path,
    paging,
    query,
  }: { readonly path: string; readonly paging: Paging | undefined; readonly query: Readonly<Record<string, string>> },
  { at }: PagePlace,
  records: string,
  signal: AbortSignal,
): Promise<{ readonly items: readonly Json[]; readonly next: PagePlace | undefined }> {
  const isUrl = paging?.by === "link" || paging?.by === "next_url";
  const size = paging?.size;
  const params = { ...query, ...(size && { [size[0]]: String(size[1]) }) };
  if (paging?.by === "page") params[paging.param] = String(at ?? paging.first ?? 1);
  if (paging?.by === "offset") params[paging.param] = String(at ?? 0);
  if (paging?.by === "cursor" && at !== null) params[paging.param] = String(at);
  const answer = isUrl && at !== null ? await api.get(String(at), {}, signal) : await api.get(path, params, signal);
  const items = valueAt(answer.body, records);
  if (!Array.isArray(items)) throw odd(`${path}: there is no list at ${records || "the answer's top"}`);
  const next = nextOf(paging, answer, items.length, at);
  return { items, next: next === undefined ? undefined : { at: next } };
}

function nextOf(
  paging: Paging | undefined,
  { body, headers, url }: ApiAnswer,
  count: number,
  at: PagePlace["at"],
): string | number | undefined {
  if (paging === undefined) return undefined;
  switch (paging.by) {
    case "page": {
      const isLast = count === 0 || (paging.size !== undefined && count < paging.size[1]);
      return isLast ? undefined : Number(at ?? paging.first ?? 1) + 1;
    }
    case "offset":
      return count < paging.size[1] ? undefined : Number(at ?? 0) + count;
    case "link": {
      const link = linkTo(headers.get("link") ?? "", "next");
      return link === undefined ? undefined : new URL(link, url).href;
    }
    default: {
      const next = valueAt(body, paging.path);
      if (typeof next !== "string" && typeof next !== "number") return undefined;
      if (next === "") return undefined;
      return paging.by === "next_url" ? new URL(String(next), url).href : next;
    }
  }
}

/** `a.b` of a value; the value itself for an empty path. */
export function valueAt(value: Json, path: string): Json | undefined {
  return path === ""
    ? value
    : path
        .split(".")
        .reduce<Json | undefined>((found, name) => (found as JsonObject | null | undefined)?.[name], value);
}

function odd(message: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", `${message}.`, { fault: "destination", path: "source.stream" });
}
