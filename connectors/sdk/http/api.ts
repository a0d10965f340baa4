import { correlationHeaders } from "../correlation.ts";
import { ConnectorError, type ErrorCode, type Fault } from "../errors.ts";
import { parseExact } from "../exact.ts";
import type { Json } from "../json.ts";
import { parseRetryAfter } from "../retry-after.ts";
import { currentCorrelation, span } from "../spans.ts";
import { ApiAuth, type AuthOptions } from "./api-auth.ts";

export interface ApiOptions {
  /** Requests go there and nowhere else. */
  readonly baseUrl: string;
  readonly auth?: AuthOptions;
  readonly headers?: Readonly<Record<string, string>>;
  /** Requests a minute; left out: as many as it takes. */
  readonly perMinute?: number;
  /** How often a request is tried again by itself (3). Then sluice waits, and asks again. */
  readonly retries?: number;
  /** Patience with one answer (30,000). */
  readonly timeoutMs?: number;
}

export interface ApiAnswer {
  readonly body: Json;
  readonly headers: Headers;
  readonly url: URL;
}

/** A longer wait is sluice's: a run may be stopped meanwhile. */
const longestWaitMs = 10_000;
const firstWaitMs = 200;

/** What a status means (the error taxonomy), and whose fault it is. */
const meanings: { readonly [status: number]: readonly [ErrorCode, Fault] } = {
  401: ["UNAUTHORIZED", "destination"],
  403: ["FORBIDDEN", "destination"],
  404: ["NOT_FOUND", "destination"],
  408: ["TIMEOUT", "transient"],
  429: ["RATE_LIMITED", "transient"],
  500: ["INTERNAL_ERROR", "transient"],
  502: ["UNAVAILABLE", "transient"],
  503: ["UNAVAILABLE", "transient"],
  504: ["TIMEOUT", "transient"],
};

/** A JSON API: credentials, retries with backoff and jitter, Retry-After, a rate limit, and a span for each request. */
export class Api {
  readonly baseUrl: URL;
  readonly #options: ApiOptions;
  readonly #auth: ApiAuth;
  #next = 0;

  constructor(options: ApiOptions) {
    this.#options = options;
    if (!URL.canParse(options.baseUrl)) throw failure("VALIDATION_ERROR", "destination", "base_url is no URL");
    this.baseUrl = new URL(options.baseUrl.replace(/\/?$/, "/"));
    this.#auth = new ApiAuth(options.auth);
  }

  /** `path` is relative to baseUrl, or a whole URL of its origin. Rejects with a ConnectorError. */
  async get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ApiAnswer> {
    const url = new URL(path.replace(/^\//, ""), this.baseUrl);
    if (url.origin !== this.baseUrl.origin) {
      throw failure("VALIDATION_ERROR", "destination", `${url.origin} is not where the API is, ${this.baseUrl.origin}`);
    }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { retries = 3 } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#renewing(url, attempt, signal);
      } catch (error) {
        signal.throwIfAborted();
        const isPassing = error instanceof ConnectorError && error.fault === "transient";
        if (!isPassing || attempt >= retries) throw error;
        const wait = error.retryAfterMs ?? firstWaitMs * 2 ** attempt * (0.5 + Math.random());
        if (wait > longestWaitMs) throw error;
        await sleep(wait, signal);
      }
    }
  }

  /** A 401 takes a new token, once. */
  async #renewing(url: URL, attempt: number, signal: AbortSignal): Promise<ApiAnswer> {
    try {
      return await this.#once(url, attempt, signal);
    } catch (error) {
      const isRefused = error instanceof ConnectorError && error.code === "UNAUTHORIZED";
      if (!isRefused || !this.#auth.renew()) throw error;
      return await this.#once(url, attempt, signal);
    }
  }

  async #once(url: URL, attempt: number, signal: AbortSignal): Promise<ApiAnswer> {
    await this.#turn(signal);
    const { timeoutMs = 30_000, headers: own } = this.#options;
    const patience = AbortSignal.timeout(timeoutMs);
    const limits = AbortSignal.any([signal, patience]);
    const where = `GET ${url.origin}${url.pathname}`;
    const headers = { accept: "application/json", ...own, ...(await this.#auth.headers(limits)) };
    return span(`GET ${url.pathname}`, async (attributes) => {
      Object.assign(attributes, {
        "http.request.method": "GET",
        "server.address": url.hostname,
        "url.path": url.pathname,
      });
      if (attempt > 0) attributes["http.request.resend_count"] = attempt;
      let text: string;
      let answer: Response;
      try {
        const correlated = { ...correlationHeaders(currentCorrelation()), ...headers };
        answer = await fetch(url, { headers: correlated, signal: limits, redirect: "error" });
        attributes["http.response.status_code"] = answer.status;
        text = await answer.text();
      } catch (error) {
        signal.throwIfAborted();
        if (patience.aborted) throw failure("TIMEOUT", "transient", `${where} did not answer within ${timeoutMs} ms`);
        const { message, cause } = error as Error & { cause?: Error };
        throw failure("UNAVAILABLE", "destination", `${where}: ${cause?.message || message}`);
      }
      if (!answer.ok) throw refusal(answer, where);
      try {
        return { body: text === "" ? null : parseExact(text), headers: answer.headers, url };
      } catch {
        throw failure("INTERNAL_ERROR", "transient", `${where} answered with what is no JSON`);
      }
    });
  }

  /** Requests are evenly spread over a minute. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { perMinute } = this.#options;
    if (perMinute === undefined) return;
    const now = performance.now();
    const at = Math.max(now, this.#next);
    this.#next = at + 60_000 / perMinute;
    if (at > now) await sleep(at - now, signal);
  }
}

function refusal({ status, headers }: Response, where: string): ConnectorError {
  const [code, fault] = meanings[status] ?? (status >= 500 ? meanings[500]! : ["VALIDATION_ERROR", "destination"]);
  const retryAfterMs = parseRetryAfter(headers.get("retry-after") ?? "", Date.now());
  return failure(code, fault, `${where} answered ${status}`, retryAfterMs);
}

function failure(code: ErrorCode, fault: Fault, message: string, retryAfterMs?: number): ConnectorError {
  const path = code === "NOT_FOUND" ? "source.stream" : fault === "destination" ? "config" : undefined;
  return new ConnectorError(code, `${message}.`, {
    fault,
    ...(path !== undefined && { path }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
