import { createInbox, type Msg, type MsgHdrs, headers as noHeaders, type Subscription } from "@nats-io/transport-node";
import { EventWriter } from "../sdk/events.ts";
import {
  ConnectorError,
  compiled,
  type Destination,
  type ErrorCode,
  type Expressions,
  fromBase64,
  type Json,
  type JsonObject,
  type OutRecord,
  sentence,
  textOf,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import type { StreamConfig } from "./config.ts";
import type { Link } from "./connection.ts";
import { away, codeOf, messageOf } from "./errors.ts";
import { isReservedSubject } from "./reserved.ts";

export interface NatsDestinationOptions {
  /** Makes a connection. */
  readonly connect: (signal?: AbortSignal) => Promise<Link>;
  /** The one that it was opened with. */
  readonly link: Link;
  readonly name: string;
  readonly config: StreamConfig;
  /** Where the config stands. */
  readonly at: string;
  readonly expressions: Expressions;
  readonly readMs: number;
  /** The stream remembers the keys of records for long enough. */
  readonly dedupes: boolean;
}

interface Outgoing {
  readonly index: number;
  readonly subject: string;
  readonly body: string | Uint8Array;
  readonly headers: MsgHdrs | undefined;
}

interface Refusal extends WriteFailure {
  /** There is nobody who takes it. */
  readonly isNobody?: boolean;
}

/** What came of messages that were sent; those that are listed nowhere are with whoever takes them. */
interface Outcome {
  readonly failed: readonly Refusal[];
  /** Indexes of those that the far side's fault, or a stop, left open. */
  readonly left: readonly number[];
  /** Why. Nothing more is to be sent then. */
  readonly why?: unknown;
}

/** Requests of a batch that are on their way at once. */
const requestsMax = 256;
const noResponders = 503;

export class NatsDestination implements Destination {
  readonly concurrency = 4;
  readonly dedupes: boolean;
  readonly #options: NatsDestinationOptions;
  readonly #subject: (record: OutRecord) => string;
  readonly #headers: ((record: Json) => Json) | undefined;
  readonly #events: EventWriter | undefined;
  readonly #isOneSubject: boolean;
  #link: Promise<Link>;
  /** Under way. */
  #writes = 0;
  #closed = false;

  constructor(options: NatsDestinationOptions) {
    const { config, name, at, expressions, link, dedupes } = options;
    this.#options = options;
    this.#link = Promise.resolve(link);
    this.dedupes = dedupes;
    const subject = config.subject ?? name;
    this.#isOneSubject = !isTemplate(subject);
    if (!this.#isOneSubject) {
      const text = compiled(`${at}.subject`, () => expressions.text(subject, (part) => part));
      this.#subject = ({ value }) => text(value);
    } else this.#subject = () => subject;
    if (config.headers)
      this.#headers = compiled(`${at}.headers`, () => expressions.template(config.headers as JsonObject));
    if (config.cloudevents) this.#events = new EventWriter(config.cloudevents, expressions, `${at}.cloudevents`);
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    const link = await this.#connected(batch.signal);
    this.#writes++;
    return this.#write(batch, link).finally(() => this.#writes--);
  }

  async #write({ records, keys, ordered = false, signal }: WriteBatch, link: Link): Promise<WriteResult> {
    const failed: Refusal[] = [];
    const left: number[] = [];
    let why: unknown;
    const { via = "jetstream" } = this.#options.config;
    const limit = link.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const sendAll = via === "core" ? this.#publish : this.#ask;
    const ready: Outgoing[] = [];
    for (const [index, record] of records.entries()) {
      try {
        ready.push(this.#outgoing(record, keys?.[index], index, limit));
      } catch (error) {
        if (!(error instanceof ConnectorError) || error.fault !== "record") throw error;
        failed.push({ index, code: error.code, message: error.message });
      }
    }
    const isOneByOne = ordered && via !== "core";
    const size = isOneByOne ? 1 : via === "request" ? requestsMax : Math.max(1, ready.length);
    for (let at = 0; at < ready.length; at += size) {
      const found = await sendAll.call(this, ready.slice(at, at + size), link, signal);
      failed.push(...found.failed);
      left.push(...found.left);
      why = found.why;
      const isNobody = found.failed.some((each) => each.isNobody);
      // None behind one that may be tried again.
      const isBehind = isOneByOne && found.failed.some(({ code }) => !isOfRecord.has(code));
      if (why === undefined && !isBehind && !(isNobody && this.#isOneSubject)) continue;
      for (const { index } of ready.slice(at + size)) left.push(index);
      break;
    }
    const nobody = failed.filter(({ isNobody }) => isNobody);
    const [first] = nobody;
    // Nobody takes what is written: no record is to blame.
    const isFault = first && (this.#isOneSubject || nobody.length === records.length);
    if (isFault) {
      for (const { index } of nobody) left.push(index);
      why ??= new ConnectorError(first.code, first.message, { fault: "destination", path: "destination.stream" });
    }
    // Nothing is known of any record but that it is to be written again.
    if (why !== undefined && left.length === records.length) throw why;
    const told = isFault ? failed.filter(({ isNobody }) => !isNobody) : failed;
    return {
      failed: told.map(({ index, code, message }) => ({ index, code, message })),
      ...(left.length > 0 && { left }),
    };
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#link.catch(() => undefined))?.close();
  }

  /** One that was lost is made anew, by the first who misses it, for all. */
  async #connected(signal: AbortSignal): Promise<Link> {
    const current = this.#link;
    const link = await current.catch(() => undefined);
    // One that refused a subject is of use to those that go on with it.
    if (link && !link.ended.aborted && (!link.lost.aborted || this.#writes > 0)) return link;
    if (this.#closed) throw away("The destination is closed");
    if (this.#link === current) this.#link = this.#anew(link);
    const made = await this.#link;
    signal.throwIfAborted();
    return made;
  }

  async #anew(lost: Link | undefined): Promise<Link> {
    await lost?.close();
    return this.#options.connect();
  }

  #outgoing(record: OutRecord, key: string | undefined, index: number, limit: number): Outgoing {
    const { config } = this.#options;
    const { via = "jetstream", msg_id: hasId = true, format = "json" } = config;
    const event = this.#events?.write(record);
    const subject = this.#subject(record);
    // What stands in a record must not reach other subjects than those that the template means.
    if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject))
      throw refused(`${JSON.stringify(subject)} is no subject to write to`);
    if (isReservedSubject(subject)) throw refused(`${subject} is what nodes of sluice work with`);
    const found: [string, string][] = [];
    for (const [name, value] of Object.entries((this.#headers?.(record.value) ?? {}) as JsonObject)) {
      if (value !== null && value !== "") found.push([name, textOf(value)]);
    }
    for (const [name, value] of Object.entries(event?.headers ?? {})) found.push([name, value]);
    if (event && config.cloudevents?.mode !== "binary")
      found.push(["content-type", (this.#events as EventWriter).contentType]);
    if (via === "jetstream" && (hasId || key !== undefined)) found.push(["Nats-Msg-Id", key ?? record.id]);
    const body = event?.text ?? bodyOf(record, format);
    let bytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    // With the first line and the empty one, and what stands around each.
    if (found.length > 0) bytes += 12;
    for (const [name, value] of found) bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
    if (bytes > limit) throw refused(`it has ${bytes} bytes, and the server takes ${limit}`);
    return { index, subject, body, headers: found.length === 0 ? undefined : headersOf(found) };
  }

  /** The server has them when it answers the flush. Whether anybody listens is not known. */
  async #publish(
    ready: readonly Outgoing[],
    { connection, ended, refusals }: Link,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const refused = new Map<string, ConnectorError>();
    const refuse = (subject: string, why: ConnectorError) => void refused.set(subject, why);
    refusals.add(refuse);
    try {
      for (const { subject, body, headers } of ready) connection.publish(subject, body, headers && { headers });
      const isDone = await unlessEnded(connection.flush(), ended, signal, this.#options.readMs);
      if (!isDone) throw away("nats-server does not answer");
      // Refusals came before that answer, and are told a moment later.
      await new Promise((resolve) => setImmediate(resolve));
      ended.throwIfAborted();
    } catch (error) {
      return brokenOff(error, ready, signal);
    } finally {
      refusals.delete(refuse);
    }
    const [why] = refused.values();
    return { failed: [], left: ready.filter(({ subject }) => refused.has(subject)).map(({ index }) => index), why };
  }

  /** Each is answered: by JetStream once it is stored, or by whoever serves the subject. */
  async #ask(ready: readonly Outgoing[], { connection, ended, refusals }: Link, signal: AbortSignal): Promise<Outcome> {
    const { config, readMs } = this.#options;
    const failureOf = config.via === "request" ? answerFailure : ackFailure;
    const inbox = createInbox();
    const answered: (Refusal | true | undefined)[] = new Array(ready.length);
    let open = ready.length;
    const all = Promise.withResolvers<void>();
    /** Those whose subject its user may not publish to. */
    const refused: number[] = [];
    let why: unknown;
    const settle = (at: number, answer: Refusal | true) => {
      answered[at] = answer;
      if (--open === 0) all.resolve();
    };
    const refuse = (to: string, error: ConnectorError) => {
      for (const [at, { index, subject }] of ready.entries()) {
        if (subject !== to || answered[at] !== undefined) continue;
        refused.push(index);
        why = error;
        settle(at, true);
      }
    };
    let end: Outcome | undefined;
    let subscription: Subscription | undefined;
    refusals.add(refuse);
    try {
      subscription = connection.subscribe(`${inbox}.*`, {
        callback: (_, message) => {
          const at = Number(message.subject.slice(inbox.length + 1));
          if (answered[at] !== undefined) return;
          const { index, subject } = ready[at] as Outgoing;
          const failure = failureOf(message, subject);
          settle(at, failure ? { index, ...failure } : true);
        },
      });
      for (const [at, { subject, body, headers }] of ready.entries()) {
        connection.publish(subject, body, { reply: `${inbox}.${at}`, ...(headers && { headers }) });
      }
      await unlessEnded(all.promise, ended, signal, readMs);
    } catch (error) {
      const unanswered = ready.filter((_, at) => answered[at] === undefined);
      end = brokenOff(error, unanswered, signal);
      for (const [at] of ready.entries()) answered[at] ??= true;
    } finally {
      refusals.delete(refuse);
      if (!connection.isClosed()) subscription?.unsubscribe();
    }
    const failed = ready.flatMap(({ index, subject }, at): Refusal[] => {
      const answer = answered[at] ?? { index, code: "TIMEOUT", message: `No answer to ${subject}.` };
      return answer === true ? [] : [answer];
    });
    return {
      failed: [...failed, ...(end?.failed ?? [])],
      left: [...refused, ...(end?.left ?? [])],
      why: why ?? end?.why,
    };
  }
}

export function isTemplate(text: string): boolean {
  return text.includes("{{");
}

/** What is no reason to hold back what is behind it. */
const isOfRecord: ReadonlySet<ErrorCode> = new Set(["VALIDATION_ERROR", "NOT_FOUND", "CONFLICT", "BUSINESS_RULE"]);

/** Of what was under way when the connection was lost: it may have been done, and is tried again. */
function brokenOff(error: unknown, open: readonly Outgoing[], signal: AbortSignal): Outcome {
  const why = signal.aborted || error instanceof ConnectorError ? error : away(`It was not sent: ${messageOf(error)}`);
  if (!(why instanceof ConnectorError) || why.fault !== "transient") {
    return { failed: [], left: open.map(({ index }) => index), why };
  }
  const { code, message } = why;
  return { failed: open.map(({ index }) => ({ index, code, message })), left: [], why };
}

type Failure = Omit<Refusal, "index">;

function ackFailure(message: Msg, subject: string): Failure | undefined {
  if (message.headers?.code === noResponders) {
    return { code: "NOT_FOUND", message: `No stream takes ${subject}.`, isNobody: true };
  }
  const text = message.string();
  if (text.startsWith('{"stream"') && !text.includes('"error"')) return undefined;
  let error: { code?: number; description?: string } | undefined;
  try {
    const ack = JSON.parse(text) as { stream?: string; error?: { code?: number; description?: string } };
    if (ack.stream !== undefined && !ack.error) return undefined;
    error = ack.error;
  } catch {
    // Whoever answered, it was not JetStream.
  }
  if (!error) return { code: "INTERNAL_ERROR", message: `What answers to ${subject} is no stream.` };
  const { code = 500, description = "refused" } = error;
  // A stream that is full, or a disk, has room again some time.
  const isPassing = code >= 500 || code === 429 || /maximum (messages|bytes)|insufficient/.test(description);
  return { code: isPassing ? "UNAVAILABLE" : codeOf(code), message: sentence(`The stream refuses it: ${description}`) };
}

function answerFailure(message: Msg, subject: string): Failure | undefined {
  const { headers } = message;
  if (headers?.code === noResponders && message.data.length === 0) {
    return { code: "UNAVAILABLE", message: `Nobody answers to ${subject}.`, isNobody: true };
  }
  const code = headers?.get("Nats-Service-Error-Code");
  if (!code) return undefined;
  const why = headers?.get("Nats-Service-Error") || `error ${code}`;
  return { code: codeOf(Number(code) || 500), message: sentence(`The answer says: ${why}`) };
}

function bodyOf({ text, value }: OutRecord, format: NonNullable<StreamConfig["format"]>): string | Uint8Array {
  if (format === "json") return text;
  if (format === "text") return textOf(value);
  const bytes = typeof value === "string" ? fromBase64(value) : undefined;
  if (bytes === undefined) throw refused("it is no text in Base64, as the format says");
  return bytes;
}

function headersOf(all: readonly [string, string][]): MsgHdrs {
  const headers = noHeaders();
  // A line's end would end the header.
  for (const [name, value] of all) headers.append(name, value.replace(/[\r\n]+/g, " "));
  return headers;
}

function refused(why: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", sentence(`The record cannot be written: ${why}`), { fault: "record" });
}

/** Whether the work was done within `ms`; rejects when the connection is lost, or nobody waits any more. */
async function unlessEnded(work: Promise<void>, lost: AbortSignal, signal: AbortSignal, ms: number): Promise<boolean> {
  const ended = Promise.withResolvers<boolean>();
  const onLost = () => ended.reject(lost.reason);
  const onAbort = () => ended.reject(signal.reason);
  const timer = setTimeout(() => ended.resolve(false), ms);
  if (lost.aborted) onLost();
  if (signal.aborted) onAbort();
  lost.addEventListener("abort", onLost, { once: true });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work.then(() => true), ended.promise]);
  } finally {
    clearTimeout(timer);
    lost.removeEventListener("abort", onLost);
    signal.removeEventListener("abort", onAbort);
  }
}
