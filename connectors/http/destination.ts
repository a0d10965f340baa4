import { hash } from "node:crypto";
import { type EventsConfig, EventWriter, type WrittenEvent } from "../sdk/events.ts";
import {
  ConnectorError,
  type Correlation,
  compiled,
  type Destination,
  type Expressions,
  type Json,
  type OutRecord,
  sentence,
  settingError,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import { type HttpClient, type Request, within } from "./client.ts";
import type { WriteConfig } from "./config.ts";
import { type Answer, cut, isPage, PageError, statusError } from "./errors.ts";
import { Grants } from "./grants.ts";
import type { Redact } from "./redact.ts";
import { type RequestDefaults, RequestTemplate } from "./request.ts";
import { Results } from "./results.ts";
import { Semaphore } from "./semaphore.ts";

/** The longest answer that is looked into. */
const answerLimit = 32 * 1024 * 1024;
/** Events in a batch, unless the config says. */
const eventBatch = 100;
/** Stands for the records in a batch's body: in the config, and until they are there. No template gives it. */
const records = "{{ $.records }}";
const placeholder = "\u0000records\u0000";

export interface DestinationSettings {
  readonly config: WriteConfig;
  readonly defaults: RequestDefaults;
  readonly base: URL;
  readonly expressions: Expressions;
  /** Where `config` stands. */
  readonly at: string;
  readonly concurrency: number;
  /** For a request. */
  readonly totalMs: number;
  /** Mode upsert: a request may be repeated. */
  readonly isUpsert: boolean;
  readonly redact: Redact;
  /** Records are, or become, CloudEvents. */
  readonly events: EventsConfig | undefined;
}

/** Writes records with a request each, or with a request for many. */
export class HttpDestination implements Destination {
  readonly concurrency: number;
  readonly timesRequests = true;
  readonly #client: HttpClient;
  readonly #settings: DestinationSettings;
  readonly #request: RequestTemplate;
  readonly #results: Results | undefined;
  readonly #events: EventWriter | undefined;
  readonly #keyHeader: string | undefined;
  readonly #batchSize: number;
  /** What stands before and after the records of a batch. */
  readonly #around: readonly [before: string, between: string, after: string];
  readonly #slots: Semaphore;

  constructor(client: HttpClient, settings: DestinationSettings) {
    const { config, defaults, base, expressions, at, concurrency, redact } = settings;
    this.concurrency = concurrency;
    this.#client = client;
    this.#settings = settings;
    this.#request = new RequestTemplate(config, defaults, base, expressions, at);
    this.#results = config.results && new Results(config.results, expressions, `${at}.results`, redact);
    const { idempotency_key = true } = config;
    this.#keyHeader =
      idempotency_key === true
        ? "idempotency-key"
        : idempotency_key === false
          ? undefined
          : idempotency_key.toLowerCase();
    this.#events =
      settings.events &&
      new EventWriter(settings.events, expressions, at.replace(/\.(append|upsert)$/, ".cloudevents"));
    this.#batchSize = config.batch?.records ?? (this.#events?.isBatch ? eventBatch : 1);
    if (config.body !== undefined && (config.batch || settings.events)) {
      const instead = config.batch ? "batch.body holds the records of a batch" : "an event is the body";
      throw settingError("VALIDATION_ERROR", `${at}.body is of no use here: ${instead}`, `${at}.body`);
    }
    this.#around = around(config, expressions, at);
    this.#slots = new Semaphore(concurrency);
  }

  async write({ records, ordered = false, limit, signal, correlation }: WriteBatch): Promise<WriteResult> {
    const grants = new Grants(limit, signal);
    const outcome = new Outcome({ ordered, concurrency: this.concurrency, onStop: () => grants.stop() });
    signal.throwIfAborted();
    const send = async (start: number, count: number): Promise<void> => {
      if (outcome.stopped || signal.aborted) return outcome.leave(start, count);
      try {
        const request = this.#prepare(records.slice(start, start + count), correlation);
        await grants.next().catch((error: unknown) => {
          if (!outcome.stopped) throw error;
        });
        if (outcome.stopped) return outcome.leave(start, count);
        outcome.add(start, count, await this.#send(request, grants, signal));
      } catch (error) {
        if (signal.aborted) outcome.leave(start, count);
        else if (error instanceof ConnectorError && error.fault === "record" && count > 1) {
          // Which record it is can be found out: none of them was taken.
          const half = count >> 1;
          await send(start, half);
          await send(start + half, count - half);
        } else outcome.fail(start, count, error);
      }
    };
    const size = this.#batchSize;
    const starts = Array.from({ length: Math.ceil(records.length / size) }, (_, index) => index * size);
    const group = (start: number) => send(start, Math.min(size, records.length - start));
    if (ordered) for (const start of starts) await group(start);
    else await Promise.all(starts.map((start) => this.#slots.run(() => group(start))));
    return outcome.result(signal);
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {
    await this.#client.close();
  }

  #prepare(group: readonly OutRecord[], shared: Correlation | undefined): Prepared {
    const { config } = this.#settings;
    const [first] = group as [OutRecord];
    const built = this.#request.build(config.batch || this.#events?.isBatch ? { records: null } : first.value);
    const { where, method, url, headers } = built;
    const body = this.#events
      ? this.#eventBody(this.#events, group, headers)
      : (built.body ?? this.#body(group, headers));
    if (this.#keyHeader !== undefined) headers[this.#keyHeader] ??= keyOf(group);
    // Records of several requests share none: one that goes alone has its own.
    const own = group.length === 1 && shared?.requestId === undefined ? first.correlation : undefined;
    const correlation = own ? { ...shared, ...own } : shared;
    return { where, method, url, headers, body, correlation, count: group.length };
  }

  /** One request: the records of it that were not taken. Throws where it is not known to have been taken at all. */
  async #send({ count, ...request }: Prepared, grants: Grants, signal: AbortSignal): Promise<WriteFailure[]> {
    const { totalMs, redact, isUpsert } = this.#settings;
    const { where } = request;
    const isRepeatable = isUpsert || this.#keyHeader !== undefined;
    const answer = await within({ signal, ms: totalMs, where, redact }, (limited, unhurried) => {
      const further = () => unhurried(grants.further);
      return this.#client.fetch({ ...request, followsRedirects: false, signal: limited, further }, answerLimit);
    });
    const { status } = answer;
    if (status >= 200 && status < 300) {
      if (this.#results) return this.#results.failuresIn(answer.text, count, isRepeatable);
      this.#checkAnswer(answer, where);
      return [];
    }
    // Of one record: it is there already.
    if (status === 409 && isRepeatable && count === 1) return [];
    throw statusError(answer, where, "destination.stream", redact);
  }

  /** Whether a 2xx is an answer of what was meant to be asked. */
  #checkAnswer(answer: Answer, where: string): void {
    const { config, at, redact } = this.#settings;
    const { answer: expected = "no_page" } = config;
    const path = `${at}.answer`;
    if (expected === "any") return;
    if (isPage(answer.text)) throw new PageError(answer, where, path, redact);
    if (expected === "no_page" || answer.text.trim() === "" || isJson(answer.text)) return;
    const message = `${where} answered ${answer.status} with what is no JSON: ${cut(answer.text, redact)}`;
    throw new ConnectorError("UNAVAILABLE", sentence(message), { fault: "destination", path });
  }

  #eventBody(events: EventWriter, group: readonly OutRecord[], headers: Record<string, string>): Buffer {
    const written = group.map((record) => events.write(record));
    headers["content-type"] = events.contentType;
    if (events.isBatch) return Buffer.from(`[${written.map(({ text }) => text).join(",")}]`);
    const [{ text, headers: own }] = written as [WrittenEvent];
    Object.assign(headers, own);
    return Buffer.from(text as string);
  }

  #body(group: readonly OutRecord[], headers: Record<string, string>): Buffer {
    const { batch } = this.#settings.config;
    headers["content-type"] ??= batch?.format === "ndjson" ? "application/x-ndjson" : "application/json";
    const [before, between, after] = this.#around;
    return Buffer.from(before + group.map(({ text }) => text).join(between) + after);
  }
}

/** A request for `count` records. */
interface Prepared extends Omit<Request, "followsRedirects" | "signal"> {
  readonly count: number;
}

/** What became of the records of one write. */
class Outcome {
  readonly #options: { readonly ordered: boolean; readonly concurrency: number; onStop(): void };
  #stopped = false;
  readonly #failed: WriteFailure[] = [];
  #confirmed = 0;
  /** Requests in a row that hung. */
  #hung = 0;
  /** The first that says nothing of a record. */
  #fault: unknown;
  readonly #left: { readonly start: number; readonly count: number }[] = [];

  constructor(options: { readonly ordered: boolean; readonly concurrency: number; onStop(): void }) {
    this.#options = options;
  }

  /** Nothing more is to be sent. */
  get stopped(): boolean {
    return this.#stopped;
  }

  #stop(): void {
    this.#stopped = true;
    this.#options.onStop();
  }

  add(start: number, count: number, failures: readonly WriteFailure[]): void {
    for (const failure of failures) this.#failed.push({ ...failure, index: start + failure.index });
    this.#confirmed += count - failures.length;
    this.#hung = 0;
    if (this.#options.ordered && failures.some(({ code }) => !isOfRecord.has(code))) this.#stop();
  }

  fail(start: number, count: number, error: unknown): void {
    const isListed = error instanceof ConnectorError && error.fault !== "destination";
    if (isListed) this.#list(start, count, error);
    else this.#left.push({ start, count });
    this.#hung = isListed && error.code === "TIMEOUT" ? this.#hung + 1 : 0;
    if (!isListed) this.#fault ??= error;
    // Whoever asks for patience is not asked further, and who is at fault not either. Nor who answers nothing at all: each
    // would take its time. In order, none is sent behind one that may be tried again.
    const isBehind = this.#options.ordered && isListed && error.fault === "transient";
    const asksPatience = isListed && error.code === "RATE_LIMITED";
    if (!isListed || asksPatience || isBehind || this.#hung >= this.#options.concurrency) this.#stop();
  }

  leave(start: number, count: number): void {
    this.#left.push({ start, count });
  }

  /** Throws where nothing is known of any record. What is listed nowhere counts as written. */
  result(signal: AbortSignal): WriteResult {
    const failed = this.#failed;
    if (this.#left.length === 0) return { failed };
    if (this.#confirmed + failed.length === 0) throw signal.aborted ? signal.reason : this.#fault;
    const left = this.#left.flatMap(({ start, count }) => Array.from({ length: count }, (_, at) => start + at));
    return { failed, left };
  }

  #list(start: number, count: number, { code, message, retryAfterMs }: ConnectorError): void {
    for (let index = start; index < start + count; index++) {
      this.#failed.push({ index, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    }
  }
}

const isOfRecord: ReadonlySet<WriteFailure["code"]> = new Set([
  "VALIDATION_ERROR",
  "NOT_FOUND",
  "CONFLICT",
  "BUSINESS_RULE",
]);

/** The same for the same records, in whatever batch they come again. */
function keyOf(group: readonly OutRecord[]): string {
  if (group.length === 1) return (group[0] as OutRecord).id;
  return hash("sha256", group.map(({ id }) => id).join("\n"), "hex");
}

/** The parts of a batch's body around the records, so that these need not be parsed. */
function around({ batch }: WriteConfig, expressions: Expressions, at: string): readonly [string, string, string] {
  if (!batch) return ["", "", ""];
  const { body = records, format } = batch;
  const path = `${at}.batch.body`;
  if (format === "ndjson") {
    if (batch.body === undefined) return ["", "\n", "\n"];
    throw settingError("VALIDATION_ERROR", `${path} is of no use with lines`, path);
  }
  const text = JSON.stringify(compiled(path, () => expressions.template(body))({ records: placeholder } as Json));
  const [before, after, ...more] = text.split(JSON.stringify(placeholder));
  if (after === undefined || more.length > 0) {
    throw settingError("VALIDATION_ERROR", `${path} has to hold a text that is "${records}" alone, once`, path);
  }
  return [`${before}[`, ",", `]${after}`];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
