import type { Readable } from "node:stream";
import type { Agent, Dispatcher } from "undici";
import { ConnectorError, type Correlation, correlationHeaders, identityHeaders, settingError } from "../sdk/index.ts";
import type { AddressGuard } from "./addresses.ts";
import type { Auth } from "./auth.ts";
import { acceptEncoding, decoded, discard, encoded, readUpTo } from "./body.ts";
import type { Compression } from "./config.ts";
import { createAgent } from "./connect.ts";
import { type Answer, one, transportError } from "./errors.ts";
import type { Redact } from "./redact.ts";

/** What is kept of an answer that is an error, for its message: more than is shown, so that secrets in it are whole. */
export const errorBytes = 64 * 1024;
const mostRedirects = 5;
/** Headers that say something of a body alone. */
const isOfBody = /^content-(type|encoding|language|location)$/;

export interface ClientOptions {
  readonly baseUrl: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: Auth;
  readonly guard: AddressGuard;
  readonly tls: { readonly ca?: string; readonly verify?: boolean };
  readonly compression: Compression;
  /** Who asked goes along. */
  readonly sendsIdentity: boolean;
  readonly connectMs: number;
  readonly readMs: number;
  /** To one origin at once. */
  readonly connections: number;
  readonly redact: Redact;
}

export interface Request {
  /** For messages: the method and what is asked, without what a record or a secret put there. */
  readonly where: string;
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  /** Of a write they are not. */
  readonly followsRedirects: boolean;
  /** The request that set this one going. */
  readonly correlation?: Correlation | undefined;
  readonly signal: AbortSignal;
  /** Before each request but the first: with a new token, or to where it is redirected. */
  readonly further?: (() => Promise<void>) | undefined;
}

export interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where it came from in the end, without credentials. */
  readonly url: URL;
  /** Decoded; to be read to its end or destroyed. */
  readonly body: Readable;
}

/** HTTP with the connector's credentials, within its limits. Rejects with a ConnectorError or the signal's reason. */
export class HttpClient {
  readonly #options: ClientOptions;
  readonly #agent: Agent;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { guard, connectMs, connections, tls } = options;
    this.#agent = createAgent({ guard, timeoutMs: connectMs, connections, tls });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** A 401 takes a new token, where there is one to take, and tries once more. */
  async send(request: Request): Promise<Response> {
    const { auth, compression } = this.#options;
    const body = request.body === undefined ? undefined : await encoded(request.body, compression);
    const isEncoded = body !== undefined && compression !== "none";
    const headers = isEncoded ? { ...request.headers, "content-encoding": compression } : request.headers;
    const whole = { ...request, headers, body };
    const first = await this.#follow(whole);
    if (first.response.status !== 401 || first.used === undefined || !auth.renew(first.used)) return first.response;
    discard(first.response.body);
    await request.further?.();
    return (await this.#follow(whole)).response;
  }

  /** The whole answer, no longer than `limit` bytes. */
  async fetch(request: Request, limit: number): Promise<Answer & { readonly url: URL }> {
    const response = await this.send(request);
    const { status, headers, url } = response;
    const isError = status >= 300;
    const { where } = request;
    try {
      const { text, isCut } = await readUpTo(response.body, isError ? errorBytes : limit);
      if (isCut && !isError) throw tooLong(where, limit);
      return { status, headers, text, url };
    } catch (error) {
      const { redact } = this.#options;
      throw request.signal.aborted ? abortedError(request.signal, where, redact) : transportError(error, where, redact);
    }
  }

  async #follow(request: Request): Promise<{ response: Response; used: string | undefined }> {
    const { redact } = this.#options;
    const { where } = request;
    let { url, method, body, headers } = request;
    let isForeign = url.origin !== this.#options.baseUrl.origin;
    for (let redirects = 0; ; redirects++) {
      const { response, used } = await this.#once({ ...request, url, method, body, headers }, isForeign);
      const location = one(response.headers.location);
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined;
      if (!isRedirect || !request.followsRedirects) return { response, used };
      discard(response.body);
      if (!URL.canParse(location, url.href)) throw redirectError(where, "to what is no URL");
      const next = new URL(location, url);
      if (redirects === mostRedirects) throw redirectError(where, `more than ${mostRedirects} times in a row`);
      if (!isHttp(next)) throw redirectError(where, `to ${redact(next.protocol)}, which is not HTTP`);
      if (url.protocol === "https:" && next.protocol === "http:") throw redirectError(where, "from https to http");
      await request.further?.();
      url = next;
      // What another origin sends back is its wish, and not the config's.
      isForeign ||= next.origin !== this.#options.baseUrl.origin;
      // As in the Fetch standard: the others keep both.
      if (response.status === 303 || (response.status < 303 && method === "POST")) {
        method = "GET";
        body = undefined;
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !isOfBody.test(name)));
      }
    }
  }

  /** `isForeign`: not to the origin of base_url, or on the word of another one. */
  async #once(request: Request, isForeign: boolean): Promise<{ response: Response; used: string | undefined }> {
    const { headers: own, auth, redact, readMs, sendsIdentity } = this.#options;
    const { method, body, signal, where } = request;
    const headers: Record<string, string> = { "accept-encoding": acceptEncoding, "user-agent": "sluice" };
    const url = new URL(request.url);
    let used: string | undefined;
    signal.throwIfAborted();
    try {
      // Credentials, bodies, and whatever the config puts in headers, are for the origin that it names and no other.
      if (!isForeign) {
        const identity = sendsIdentity ? identityHeaders(request.correlation) : {};
        Object.assign(headers, correlationHeaders(request.correlation), identity, own, request.headers);
        used = await auth.apply(headers, url, this.#post, signal);
      } else {
        if (body !== undefined) {
          const message = `${where} leads to ${url.origin}, which is not the origin of base_url and gets no body`;
          throw settingError("VALIDATION_ERROR", message, "config.base_url");
        }
        const { accept } = request.headers;
        if (accept !== undefined) headers.accept = accept;
      }
      const answer = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: method as Dispatcher.HttpMethod,
        headers,
        body: body ?? null,
        headersTimeout: readMs,
        bodyTimeout: readMs,
        signal,
      });
      const { statusCode: status, headers: received } = answer;
      const encoding = status === 304 || method === "HEAD" ? "" : [received["content-encoding"] ?? ""].flat().join(",");
      return {
        response: { status, headers: received, url: request.url, body: decoded(answer.body, encoding, where) },
        used,
      };
    } catch (error) {
      if (signal.aborted) throw abortedError(signal, where, redact);
      throw transportError(error, where, redact);
    }
  }

  readonly #post = async (
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<Answer> => {
    const { readMs, redact } = this.#options;
    const where = `POST ${url.origin}${url.pathname}`;
    try {
      const answer = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: "POST",
        headers: { "accept-encoding": acceptEncoding, "user-agent": "sluice", ...headers },
        body,
        headersTimeout: readMs,
        bodyTimeout: readMs,
        signal,
      });
      const encoding = [answer.headers["content-encoding"] ?? ""].flat().join(",");
      const { text } = await readUpTo(decoded(answer.body, encoding, where), 8 * errorBytes);
      return { status: answer.statusCode, headers: answer.headers, text };
    } catch (error) {
      const { code, message, path } = transportError(error, where, redact);
      // Whatever became of the token request, nothing else was sent.
      throw new ConnectorError(code, message, { fault: "destination", path: path ?? "config.auth.token_url" });
    }
  };
}

/** A limit that was reached is a timeout; anything else is the caller's own wish. */
function abortedError(signal: AbortSignal, where: string, redact: Redact): unknown {
  const reason: unknown = signal.reason;
  return reason instanceof TotalTimeout ? transportError(reason, where, redact) : reason;
}

/** The limit of a request as a whole was reached. */
class TotalTimeout extends Error {
  override readonly name = "TimeoutError";
}

/**
 * Work that has so many milliseconds; rejects with a ConnectorError where they are over. What is waited for `unhurried`
 * takes none of them, and they begin anew behind it.
 */
export async function within<T>(
  {
    signal,
    ms,
    where,
    redact,
  }: {
    readonly signal: AbortSignal;
    readonly ms: number | undefined;
    readonly where: string;
    readonly redact: Redact;
  },
  work: (signal: AbortSignal, unhurried: (wait: () => Promise<void>) => Promise<void>) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const late = () => controller.abort(new TotalTimeout(`not done after ${ms} ms`));
  const start = () => (ms === undefined ? undefined : setTimeout(late, ms));
  let timer = start();
  const unhurried = async (wait: () => Promise<void>) => {
    clearTimeout(timer);
    try {
      await wait();
    } finally {
      timer = start();
    }
  };
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await work(controller.signal, unhurried);
  } catch (error) {
    throw controller.signal.aborted ? abortedError(controller.signal, where, redact) : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

export function isHttp({ protocol }: URL): boolean {
  return protocol === "http:" || protocol === "https:";
}

function tooLong(where: string, limit: number): ConnectorError {
  const message = `${where} answered with more than ${limit / 1024 / 1024} MiB, which is too much for one answer.`;
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
}

function redirectError(where: string, how: string): ConnectorError {
  return settingError("VALIDATION_ERROR", `${where} redirects ${how}`, "config.base_url");
}
