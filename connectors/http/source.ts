import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConnectorError,
  type Cursor,
  type Json,
  parseExact,
  type ReadBatch,
  type Source,
  type SourceOptions,
  sentence,
  settingError,
} from "../sdk/index.ts";
import { discard, readUpTo } from "./body.ts";
import { errorBytes, type HttpClient, type Response } from "./client.ts";
import { CutError } from "./cutter.ts";
import { one, statusError, transportError } from "./errors.ts";
import { Incremental, type Progress } from "./incremental.ts";
import { packed, unpacked } from "./json.ts";
import { type OutBatch, OutBatches, type Place } from "./out-batches.ts";
import { type CursorField, PageChanged, PageReading } from "./page-reading.ts";
import type { PageState } from "./pagination.ts";
import type { Redact } from "./redact.ts";
import { addQuery, type Built } from "./request.ts";
import type { ReadableStream } from "./stream.ts";

/** A source that waits says so now and then. */
const aliveMs = 5_000;
/** A page that fails is asked for so often, and a longer wait is left to the runtime. */
const attempts = 4;
const longestWaitMs = 60_000;
/** A body that gives less a second, for as long as a request may take, goes nowhere. */
const slowestBytes = 1_024;
/** Pages that are remembered, to notice one that comes again. */
const mostVisited = 100_000;
/** A server that forgets places sooner than they are reached would be read for ever. */
const mostAgain = 3;
const acceptJson = "application/json, application/x-ndjson;q=0.9, */*;q=0.1";

/** What a cursor holds. */
interface HttpCursor extends Place {
  readonly count: number;
  /** The run was read to its end. */
  readonly done?: true;
  /** Mode incremental: the cursor field. */
  readonly field?: string;
  /** Mode incremental: what the run under way asks for, and what the one before it left. */
  readonly since?: Json;
  readonly before?: Progress;
  /** When its first page was asked for. */
  readonly startedAt?: number;
  /** How often the run began anew because the server had forgotten where it was. */
  readonly again?: number;
  /** The only page, by a hash of its URL, and its ETag. */
  readonly etag?: readonly [url: string, tag: string];
}

const beginning: HttpCursor = { page: null, skip: 0, crc: 0, max: null, count: 0 };

/** What may be waited for an answer; strict: also for one that comes at a fair pace. */
export interface Total {
  readonly ms: number;
  readonly isStrict: boolean;
}

/** Batches, or word that nothing came yet. */
type Step = OutBatch | "alive";

/** Reads a stream page by page, each as it comes, in mode full or incremental. */
export class HttpSource implements Source {
  readonly #stream: ReadableStream;
  readonly #client: HttpClient;
  readonly #options: SourceOptions;
  readonly #redact: Redact;
  readonly #field: CursorField | undefined;
  readonly #total: Total;
  readonly #from: HttpCursor;
  readonly #incremental: Incremental | undefined;
  readonly #out: OutBatches;
  readonly #visited = new Set<string>();
  #etag: HttpCursor["etag"];
  #again: number;
  #notice: string | undefined;
  #saidAt = performance.now();

  constructor(
    stream: ReadableStream,
    client: HttpClient,
    options: SourceOptions,
    redact: Redact,
    /** Of mode incremental. */
    field: CursorField | undefined,
    total: Total,
  ) {
    this.#stream = stream;
    this.#client = client;
    this.#options = options;
    this.#redact = redact;
    this.#field = field;
    this.#total = total;
    const stored = options.from === null ? beginning : (unpacked(options.from) as unknown as HttpCursor);
    const from = this.#usable(stored);
    this.#from = from.done && field ? { ...from, page: null, skip: 0, crc: 0 } : from;
    this.#etag = from.done && field ? from.etag : undefined;
    this.#again = from.done ? 0 : (from.again ?? 0);
    if (field) {
      const before = from.before ?? { max: null, known: [] };
      const since = from.done ? undefined : from.since;
      const startedAt = from.done ? undefined : from.startedAt;
      this.#incremental = new Incremental(stream.incremental, before, since, from.max, startedAt);
    }
    this.#out = new OutBatches(options.batch, from.count);
  }

  /** A cursor of another field, or of pages that were counted otherwise, is none to go on from; its number is. */
  #usable(from: HttpCursor): HttpCursor {
    const isOfField = from.field === undefined || from.field === this.#field?.name;
    return isOfField && this.#stream.paginator.knows(from.page) ? from : { ...beginning, count: from.count };
  }

  async *read(): AsyncGenerator<ReadBatch> {
    if (this.#from.done && !this.#incremental) return;
    // One batch is held back: the last one's cursor says that all is read.
    let held: OutBatch | undefined;
    try {
      for await (const step of this.#steps()) {
        if (step === "alive") yield this.#nothing();
        else {
          if (held) yield this.#batch(held, this.#cursor(held));
          held = step;
        }
      }
    } catch (error) {
      if (held && !this.#options.signal.aborted) yield this.#batch(held, this.#cursor(held));
      throw error;
    }
    if (held) yield this.#batch(held, this.#final());
  }

  /** Records from the stream's beginning: a batch of them at most; what is no JSON is left out. */
  async sample(): Promise<Json[]> {
    for await (const step of this.#steps()) {
      if (step === "alive") continue;
      return Buffer.from(step.data)
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
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async *#steps(): AsyncGenerator<Step> {
    const { paginator } = this.#stream;
    let { page: state, skip, crc } = this.#from;
    let isResumed = state !== null;
    let before: { count: number; crc: number } | undefined;
    let lastEtag: HttpCursor["etag"];
    let empty = 0;
    for (let pages = 1; ; pages++) {
      if (pages > paginator.maxPages) throw paginator.tooMany();
      this.#visit(state);
      const read = yield* this.#page(state, skip, crc, isResumed);
      if (typeof read === "object" && "gone" in read) {
        // The place in the middle of the stream is no more: from its beginning.
        this.#beginAgain(read.gone);
        [state, skip, crc, isResumed] = [null, 0, 0, false];
        this.#visited.clear();
        yield "alive";
        continue;
      }
      [skip, crc, isResumed] = [0, 0, false];
      if (read === "unchanged") break;
      if (read === "end") break;
      const { count, crc: now } = read;
      if (before && count > 0 && before.count === count && before.crc === now) throw paginator.unchanged();
      before = { count, crc: now };
      lastEtag = pages === 1 && state === null ? read.etag : undefined;
      const next = paginator.next({ ...read, state });
      if (next === null) break;
      empty = count === 0 ? empty + 1 : 0;
      if (empty >= paginator.maxEmpty) throw paginator.empty(empty);
      this.#out.moveTo({ page: next, skip: 0, crc: 0, max: this.#incremental?.max ?? null });
      state = next;
    }
    this.#etag = lastEtag;
    this.#out.finish();
    yield* this.#out.take();
  }

  #beginAgain(status: number): void {
    const { where } = this.#stream.request;
    const what = `${where} answered ${status} for the page where reading was to go on`;
    if (this.#again === mostAgain) {
      const { at } = this.#stream.paginator;
      const message = `${what}, after it had begun anew ${mostAgain} times for the same: the server forgets places before they are reached`;
      throw settingError("NOT_FOUND", message, at);
    }
    this.#again++;
    this.#notice = `${what}: the stream is read again from its beginning (${this.#again} of ${mostAgain} times in a run).`;
  }

  #visit(state: PageState): void {
    if (state === null || "n" in state) return;
    const id = hash("sha1", JSON.stringify(state), "base64");
    if (this.#visited.has(id)) throw this.#stream.paginator.repeated();
    if (this.#visited.size === mostVisited) this.#visited.clear();
    this.#visited.add(id);
  }

  /** One page, tried again where it fails in passing: what was handed out of it is not handed out again. */
  async *#page(state: PageState, skip: number, crc: number, isResumed: boolean) {
    const reading = new PageReading(this.#stream, this.#out, this.#incremental, this.#field, state, { skip, crc });
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#request(state);
        const { status } = response;
        if (status === 304) {
          discard(response.body);
          return "unchanged" as const;
        }
        if (status < 200 || status >= 300) {
          const isGone = isResumed && state !== null && !("n" in state) && [400, 404, 410, 422].includes(status);
          if (isGone || (status === 404 && this.#stream.paginator.endsBy404(state))) {
            discard(response.body);
            return isGone ? { gone: status } : ("end" as const);
          }
          throw await this.#refused(response);
        }
        return yield* this.#body(reading, response);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (error instanceof PageChanged) {
          reading.restart();
          continue;
        }
        const failure = asSourceError(error, this.#stream.at);
        const waitMs = failure.retryAfterMs ?? 250 * 2 ** (attempt - 1) * (0.8 + 0.4 * Math.random());
        if (failure.fault !== "transient" || attempt === attempts || waitMs > longestWaitMs) throw failure;
        yield* this.#wait(waitMs);
      }
    }
  }

  async *#body(reading: PageReading, response: Response) {
    const { url, headers, body, status } = response;
    const { where } = this.#stream.request;
    const tag = one(headers.etag);
    const etag = tag === undefined ? undefined : ([hashOf(url), tag] as const);
    this.#incremental?.clock(Date.parse(one(headers.date) ?? ""));
    const cutter = reading.begin(headers);
    try {
      if (status !== 204 && status !== 205) {
        for await (const chunk of this.#inTime(body as AsyncIterable<Buffer>)) {
          cutter.push(chunk);
          yield* this.#ready();
        }
        const around = cutter.end();
        yield* this.#out.take();
        return { ...reading.end(), url, headers, around, ...(etag ? { etag } : {}) };
      }
      discard(body);
      return { ...reading.end(), url, headers, around: null, ...(etag ? { etag } : {}) };
    } catch (error) {
      body.destroy();
      if (error instanceof PageChanged || error instanceof ConnectorError) throw error;
      if (!(error instanceof CutError)) throw transportError(error, where, this.#redact);
      // The records before the fault are good; they stay.
      yield* this.#out.take();
      const type = one(headers["content-type"]) ?? "none";
      const message = sentence(`${where} answered what cannot be read: ${error.message} (Content-Type ${type})`);
      // A body that breaks off may be whole the next time.
      if (error.isTorn) throw new ConnectorError("UNAVAILABLE", message, { fault: "transient" });
      throw settingError("VALIDATION_ERROR", message, `${this.#stream.at}.records`);
    }
  }

  /** What is waited for a body's pieces is bounded; not what the log or the steps take between them. */
  async *#inTime(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const { where } = this.#stream.request;
    const { ms, isStrict } = this.#total;
    let waited = 0;
    let bytes = 0;
    let askedAt = performance.now();
    for await (const chunk of body) {
      waited += performance.now() - askedAt;
      bytes += chunk.length;
      if (waited > ms && (isStrict || bytes < (waited / 1000) * slowestBytes)) {
        const message = `${where}: the answer was not whole after ${Math.round(waited / 1000)} s of waiting (${bytes} bytes).`;
        throw new ConnectorError("TIMEOUT", message, { fault: "transient" });
      }
      yield chunk;
      askedAt = performance.now();
    }
  }

  async #request(state: PageState): Promise<Response> {
    const { signal, correlation } = this.#options;
    const { where, method, url, headers, body } = buildPage(this.#stream, state, this.#incremental?.since ?? null);
    const [etagUrl, etag] = this.#etag ?? [];
    if (etag !== undefined && state === null && etagUrl === hashOf(url)) headers["if-none-match"] = etag;
    return this.#client.send({ where, method, url, headers, body, followsRedirects: true, correlation, signal });
  }

  async #refused(response: Response): Promise<ConnectorError> {
    const { status, headers, body } = response;
    const { where } = this.#stream.request;
    const { text } = await readUpTo(body, errorBytes);
    return statusError({ status, headers, text }, where, "source.stream", this.#redact);
  }

  /** What is complete. Where records are left out for long, word that the source lives. */
  *#ready(): Generator<Step> {
    const ready = this.#out.take();
    const now = performance.now();
    if (ready.length > 0) this.#saidAt = now;
    else if (now - this.#saidAt > aliveMs) {
      this.#saidAt = now;
      yield "alive";
    }
    yield* ready;
  }

  /** Hands out what there is, and says now and then that the source lives. */
  async *#wait(ms: number): AsyncGenerator<Step> {
    const { signal } = this.#options;
    this.#out.finish();
    yield* this.#out.take();
    for (let left = ms; left > 0; left -= aliveMs) {
      this.#saidAt = performance.now();
      yield "alive";
      await sleep(Math.min(left, aliveMs), undefined, { signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw error;
      });
    }
  }

  #cursor({ first, count, place }: OutBatch): Cursor {
    const { before } = this.#from;
    const { since = null, startedAt = 0 } = this.#incremental ?? {};
    const field = this.#field ? { field: this.#field.name } : {};
    const incremental = this.#incremental && { ...field, since, startedAt, ...(before ? { before } : {}) };
    const again = this.#again > 0 ? { again: this.#again } : {};
    return packed({ ...place, count: first + count - 1, ...incremental, ...again } as unknown as Cursor);
  }

  #final(): Cursor {
    const { total } = this.#out;
    const place = { page: null, skip: 0, crc: 0, count: total, done: true as const };
    if (!this.#incremental) return { ...place, max: null };
    const before = this.#incremental.progress();
    const etag = this.#etag ? { etag: this.#etag } : {};
    const field = this.#field?.name;
    return packed({ ...place, max: before.max, before, field, ...etag } as unknown as Cursor);
  }

  #batch({ data, count, first, failures }: OutBatch, cursor: Cursor): ReadBatch {
    const failed = failures.length > 0 ? { failures } : {};
    const notice = this.#notice === undefined ? {} : { notice: this.#notice };
    return { data, count, cursor, position: { base: this.#stream.name, offset: first }, ...failed, ...notice };
  }

  #nothing(): ReadBatch {
    const position = { base: this.#stream.name, offset: this.#out.total + 1 };
    const notice = this.#notice === undefined ? {} : { notice: this.#notice };
    return { data: new Uint8Array(), count: 0, cursor: this.#options.from, position, ...notice };
  }
}

/** The request for a page: a link of the far side's has all that it needs. */
function buildPage({ request, paginator, incremental }: ReadableStream, state: PageState, since: Json): Built {
  const size = paginator.size ?? null;
  const built = request.build({ page: paginator.valueOf(state), since, size });
  built.headers.accept ??= acceptJson;
  if (state !== null && "url" in state) return { ...built, url: new URL(state.url) };
  if (incremental.param !== undefined && since !== null) addQuery(built.url, { [incremental.param]: since });
  paginator.apply(built.url, state);
  return built;
}

/** What would be a record's fault in a destination is the setting's in a source: nothing can be read past it. */
function asSourceError(error: unknown, at: string): ConnectorError {
  if (!(error instanceof ConnectorError)) throw error;
  if (error.fault !== "record") return error;
  return new ConnectorError(error.code, error.message, { fault: "destination", path: error.path ?? at });
}

function hashOf(url: URL): string {
  return hash("sha1", url.href, "base64");
}
