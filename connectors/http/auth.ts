import { createHash } from "node:crypto";
import { ConnectorError, settingError } from "../sdk/index.ts";
import type { AuthConfig, OAuth2Config } from "./config.ts";
import { type Answer, statusError } from "./errors.ts";
import type { Redactor } from "./redact.ts";

/** Sends a token request, without credentials of its own; rejects with a ConnectorError. */
export type Post = (url: URL, headers: Record<string, string>, body: string, signal: AbortSignal) => Promise<Answer>;

/** Puts credentials on requests to the origin of base_url. */
export interface Auth {
  /** Changes `headers` and `url`; gives what was used, for `renew`. */
  apply(headers: Record<string, string>, url: URL, post: Post, signal: AbortSignal): Promise<string>;
  /** Whether what was used is out of use now, and another try may have something better. */
  renew(used: string): boolean;
  /** A query parameter that holds a credential: taken out of URLs that the far side hands back. */
  readonly queryParameter?: string;
  close(): void;
}

export function createAuth(config: AuthConfig = { type: "none" }, redactor: Redactor): Auth {
  switch (config.type) {
    case "none":
      return fixed(() => {});
    case "basic": {
      const credentials = Buffer.from(`${config.username}:${config.password}`).toString("base64");
      redactor.add(config.password);
      redactor.add(credentials);
      return fixed((headers) => {
        headers.authorization = `Basic ${credentials}`;
      });
    }
    case "bearer":
      redactor.add(config.token);
      return fixed((headers) => {
        headers.authorization = `Bearer ${config.token}`;
      });
    case "api_key": {
      const { name, value } = config;
      redactor.add(value);
      if (config.in !== "query") {
        return fixed((headers) => {
          headers[name.toLowerCase()] = value;
        });
      }
      return { ...fixed((_headers, url) => url.searchParams.set(name, value)), queryParameter: name };
    }
    case "oauth2_client_credentials":
      return new OAuth2(config, redactor);
  }
}

function fixed(put: (headers: Record<string, string>, url: URL) => void): Auth {
  return {
    apply: async (headers, url) => {
      put(headers, url);
      return "";
    },
    renew: () => false,
    close: () => {},
  };
}

interface Token {
  readonly value: string;
  /** By performance.now(); a new one is taken from then on. */
  readonly until: number;
}

/** After a refusal, so that many who wait do not ask one after another. */
const refusedMs = 250;

/** The token of one client, shared by all connectors of this process that are configured alike. */
class SharedToken {
  users = 0;
  current: Token | undefined;
  #request: Promise<Token> | undefined;
  #refused: { readonly error: unknown; readonly until: number } | undefined;

  /** One request at a time: all who wait for it have its token, however soon that ends, or its error. */
  async get(request: () => Promise<Token>, signal: AbortSignal): Promise<Token> {
    signal.throwIfAborted();
    if (this.current !== undefined && performance.now() < this.current.until) return this.current;
    if (this.#refused !== undefined && performance.now() < this.#refused.until) throw this.#refused.error;
    this.#request ??= this.#ask(request).finally(() => {
      this.#request = undefined;
    });
    return orAborted(this.#request, signal);
  }

  async #ask(request: () => Promise<Token>): Promise<Token> {
    try {
      this.current = await request();
      this.#refused = undefined;
      return this.current;
    } catch (error) {
      this.#refused = { error, until: performance.now() + refusedMs };
      throw error;
    }
  }
}

const tokens = new Map<string, SharedToken>();
/** Of those that nobody uses, each is kept for as long as it lasts: connectors are opened for each run. */
function dropEnded(): void {
  const now = performance.now();
  for (const [id, { users, current }] of tokens) {
    if (users === 0 && (current === undefined || current.until <= now)) tokens.delete(id);
  }
}

/** Of a token whose end is not told. */
const defaultSeconds = 300;
/** A new token is taken so long before the old one ends, or a tenth of its time where that is less. */
const marginSeconds = 60;
/** For a token request: it serves all who wait, whoever of them gives up. */
const requestMs = 30_000;

class OAuth2 implements Auth {
  readonly #config: OAuth2Config;
  readonly #redactor: Redactor;
  readonly #id: string;
  readonly #token: SharedToken;

  constructor(config: OAuth2Config, redactor: Redactor) {
    this.#config = config;
    this.#redactor = redactor;
    redactor.add(config.client_secret);
    for (const value of Object.values(config.params ?? {})) redactor.add(value);
    this.#id = createHash("sha256").update(JSON.stringify(config)).digest("hex");
    this.#token = tokens.get(this.#id) ?? new SharedToken();
    this.#token.users++;
    tokens.set(this.#id, this.#token);
    dropEnded();
  }

  async apply(headers: Record<string, string>, _url: URL, post: Post, signal: AbortSignal): Promise<string> {
    const { value } = await this.#token.get(() => this.#request(post), signal);
    this.#redactor.add(value);
    headers.authorization = `Bearer ${value}`;
    return value;
  }

  renew(used: string): boolean {
    if (this.#token.current?.value === used) this.#token.current = undefined;
    return true;
  }

  close(): void {
    this.#token.users--;
    dropEnded();
  }

  async #request(post: Post): Promise<Token> {
    const { token_url, client_id, client_secret, scopes = [], params = {}, client_auth = "basic" } = this.#config;
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    for (const [name, value] of Object.entries(params)) form.set(name, value);
    const headers: Record<string, string> = {
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
    };
    if (client_auth === "basic") {
      // RFC 6749, 2.3.1: both are form-encoded before they are joined.
      const credentials = Buffer.from(`${formEncoded(client_id)}:${formEncoded(client_secret)}`).toString("base64");
      this.#redactor.add(credentials);
      headers.authorization = `Basic ${credentials}`;
    } else {
      form.set("client_id", client_id);
      form.set("client_secret", client_secret);
    }
    const url = new URL(token_url);
    const where = `The token request to ${url.origin}${url.pathname}`;
    const sentAt = performance.now();
    const answer = await post(url, headers, form.toString(), AbortSignal.timeout(requestMs));
    if (answer.status !== 200) throw this.#refused(answer, where);
    const { access_token, expires_in } = parsed(answer.text);
    if (typeof access_token !== "string" || !/^[\x21-\x7e]+$/.test(access_token)) {
      throw settingError("UNAUTHORIZED", `${where} was answered without an access_token`, "config.auth.token_url");
    }
    this.#redactor.add(access_token);
    const seconds = Number(expires_in ?? defaultSeconds);
    const usable = seconds > 0 ? seconds - Math.min(marginSeconds, seconds / 10) : 0;
    return { value: access_token, until: sentAt + usable * 1000 };
  }

  /** No token means that nothing was sent: that is never a record's fault. */
  #refused(answer: Answer, where: string): ConnectorError {
    const error = statusError(answer, where, "config.auth", this.#redactor.redact);
    const isPassing = error.fault === "transient";
    return new ConnectorError(isPassing ? "UNAVAILABLE" : "UNAUTHORIZED", error.message, {
      fault: "destination",
      path: "config.auth",
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
  }
}

function parsed(text: string): { access_token?: unknown; expires_in?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", abort));
}
