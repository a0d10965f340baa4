import { createHash } from "node:crypto";
import { BatchBuilder } from "../batch.ts";
import type { Connector, ConnectorType, Source, SourceOptions, StreamInfo } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { isExact } from "../exact.ts";
import { inferSchema } from "../infer.ts";
import type { Json, JsonObject, JsonSchema } from "../json.ts";
import { nearest } from "../nearest.ts";
import { Api, type ApiOptions } from "./api.ts";
import { CircleGuard, firstPage, type PagePlace, type Paging, readPage, valueAt } from "./paging.ts";

export interface ApiStream {
  /** Relative to the API's base URL. */
  readonly path: string;
  /** Where the list is in an answer: `data.items`; empty: the answer is the list. */
  readonly records: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly paging?: Paging;
  /** Fields that identify a record. */
  readonly key: readonly string[];
  /** The API gives records whose `field` is at or behind the value of `param`. */
  readonly incremental?: { readonly field: string; readonly param: string };
  /** Of a record; left out: as the first page has it. */
  readonly schema?: JsonSchema;
}

export interface ApiSourceDefinition<Config> {
  readonly type: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  /** JSON Schema of the config, closed, with `writeOnly: true` at what is secret. */
  readonly config: JsonSchema;
  api(config: Config): ApiOptions;
  readonly streams: Readonly<Record<string, ApiStream>>;
}

/** A text or a number. */
type Ordered = string | number;

/** Where a reading stands, in JSON. */
interface Place {
  /** The page that is read, and how many of its records have been. Left out: all was read. */
  readonly page?: PagePlace;
  readonly skip?: number;
  /** Records so far: the next one's number. */
  readonly n: number;
  /** What `param` has, and hashes of the records with that value that the reading before had. */
  readonly since?: Ordered | null;
  readonly known?: readonly string[];
  /** The greatest value of the field so far, and hashes of the records that have it. */
  readonly max?: Ordered | null;
  readonly seen?: readonly string[];
}

/** How many records of one value are known as delivered: a cursor has its bounds. What is more comes twice. */
const mostKnown = 1_000;

/** A source over a JSON API as a connector type: pages, places, credentials, retries, limits and spans are seen to. */
export function apiSource<Config>(definition: ApiSourceDefinition<Config>): ConnectorType<Config> {
  const { api, streams, ...rest } = definition;
  const isIncremental = Object.values(streams).some(({ incremental }) => incremental);
  return {
    ...rest,
    capabilities: { source: { modes: isIncremental ? ["full", "incremental"] : ["full"] } },
    create: (config) => new ApiConnector(new Api(api(config)), streams),
  };
}

class ApiConnector implements Connector {
  readonly #api: Api;
  readonly #streams: Readonly<Record<string, ApiStream>>;

  constructor(api: Api, streams: Readonly<Record<string, ApiStream>>) {
    this.#api = api;
    this.#streams = streams;
  }

  /** The first page of the first stream says whether it is let in. */
  async check(signal: AbortSignal): Promise<void> {
    const [first] = Object.values(this.#streams);
    if (first) await this.#page(first, firstPage, {}, signal);
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return Promise.all(
      Object.entries(this.#streams).map(async ([name, stream]) => ({
        name,
        schema: stream.schema ?? inferSchema((await this.#page(stream, firstPage, {}, signal)).items),
        key: stream.key,
        ...(stream.incremental && { cursorFields: [stream.incremental.field] }),
      })),
    );
  }

  async openSource(options: SourceOptions): Promise<Source> {
    const stream = Object.hasOwn(this.#streams, options.stream) ? this.#streams[options.stream] : undefined;
    if (stream === undefined) {
      const meant = nearest(options.stream, Object.keys(this.#streams));
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      throw refused(`there is no stream ${options.stream}${hint}`, "source.stream");
    }
    const { incremental } = stream;
    if (options.mode === "incremental" && options.cursorField !== incremental?.field) {
      throw refused(`${options.stream} is read by ${incremental?.field ?? "nothing but whole"}`, "source.cursor_field");
    }
    return { read: () => this.#read(stream, options), close: async () => {} };
  }

  async close(): Promise<void> {}

  async *#read(stream: ApiStream, { stream: name, from, mode, batch, signal }: SourceOptions) {
    const begin = placeOf(from, mode === "incremental");
    if (begin === undefined) return;
    const by = mode === "incremental" ? stream.incremental : undefined;
    const builder = new BatchBuilder(
      begin.since === undefined ? name : `${name}@${JSON.stringify(begin.since)}`,
      batch,
    );
    // A record is held until the next one is known: the last one's place says that all was read.
    let held: { readonly text: string; readonly place: Place } | undefined;
    for await (const next of this.#records(stream, begin, by, signal)) {
      const full = held && builder.add(held.text, held.place.n - 1, held.place as unknown as Json);
      held = next;
      if (full) yield full;
    }
    if (!held) return;
    const { page: _page, skip: _skip, known: _known, ...end } = held.place;
    const full = builder.add(held.text, held.place.n - 1, end as unknown as Json);
    if (full) yield full;
    const rest = builder.flush();
    if (rest) yield rest;
  }

  /** Each record with the place behind it. */
  async *#records(stream: ApiStream, begin: Place, by: ApiStream["incremental"], signal: AbortSignal) {
    let { page, skip = 0, n, max, seen = [] } = begin;
    const { since, known = [] } = begin;
    const before = new Set(known);
    const query: Record<string, string> = by && since !== undefined ? { [by.param]: String(since) } : {};
    const circle = new CircleGuard(stream.path);
    while (page !== undefined) {
      signal.throwIfAborted();
      const { items, next } = await this.#page(stream, page, query, signal);
      circle.visit(page, items);
      for (const [index, record] of items.entries()) {
        if (index < skip) continue;
        const text = JSON.stringify(record);
        const value = by && orderedAt(record, by.field);
        if (value !== undefined) {
          const isGreatest = max == null || value >= max;
          const id = isGreatest || value === since ? idOf(text) : "";
          // What had the latest value in the reading before comes again.
          if (value === since && before.has(id)) continue;
          if (isGreatest && value !== max) seen = [id];
          else if (isGreatest && seen.length < mostKnown) seen = [...seen, id];
          max = isGreatest ? value : max;
        }
        n++;
        const place: Place = {
          page,
          skip: index + 1,
          n,
          ...(by && { since: since ?? null, known, max: max ?? null, seen }),
        };
        yield { text, place };
      }
      skip = 0;
      page = next;
    }
  }

  #page(
    { path, paging, query, records }: ApiStream,
    page: PagePlace,
    more: Record<string, string>,
    signal: AbortSignal,
  ) {
    return readPage(this.#api, { path, paging, query: { ...query, ...more } }, page, records, signal);
  }
}

/** Where to begin; undefined: there is nothing more of this reading. */
function placeOf(from: Json, isIncremental: boolean): Place | undefined {
  if (from === null) return { page: firstPage, n: 0 };
  const { since, max, ...place } = from as unknown as Place & JsonObject;
  const values = { ...(since != null && { since }), ...(max != null && { max }) };
  if (place.page !== undefined) return { ...place, ...values } as Place;
  if (!isIncremental) return undefined;
  const { seen = [] } = place;
  // A record's number is its own over all readings, since its id is made of it.
  return { page: firstPage, n: place.n, ...values, ...(max != null && { since: max }), known: seen, seen };
}

/** What a reading goes by: null, as in a cursor, is no value, and a number of more digits than a double has is its text. */
function orderedAt(record: Json, field: string): Ordered | undefined {
  const value = valueAt(record, field) ?? undefined;
  return (typeof value === "object" && isExact(value) ? JSON.stringify(value) : value) as Ordered | undefined;
}

function idOf(text: string): string {
  return createHash("sha1").update(text).digest("base64").slice(0, 11);
}

function refused(message: string, path: string): ConnectorError {
  return new ConnectorError("NOT_FOUND", `${message}.`, { fault: "destination", path });
}
