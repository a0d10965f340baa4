import { readFile } from "node:fs/promises";
import { NotReadyError, SluiceError } from "../../../runtime/errors/index.ts";
import type { Clock } from "../../../runtime/ports/clock.ts";
import type { Logger } from "../../../runtime/ports/logger.ts";
import { type VaultAnswer, VaultError, type VaultRequest } from "./client.ts";
import type { VaultSettings } from "./settings.ts";

export interface VaultSessionOptions {
  readonly settings: Pick<VaultSettings, "address" | "auth">;
  readonly request: VaultRequest;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each token. */
  readonly secret: (token: string) => void;
}

interface Token {
  readonly token: string;
  /** Whether another can be had by logging in. */
  readonly replaceable: boolean;
  /** When it was got. */
  readonly since: number;
}

/** Of a token's time, after how much it is renewed. */
const renewAfter = 2 / 3;
const retryMs = 5_000;
/** A token that is newer was not denied for its age: nobody logs in for each path that is not theirs to read. */
const newMs = 2_000;

/** Requests with a token that is kept alive: renewed in time, and got anew where it cannot be. */
export class VaultSession {
  readonly #options: VaultSessionOptions;
  readonly #closing = new AbortController();
  #token: Promise<Token> | undefined;

  constructor(options: VaultSessionOptions) {
    this.#options = options;
  }

  /**
   * Undefined where there is nothing (404). Throws NotReadyError where Vault is away or sealed, SluiceError FORBIDDEN,
   * UNAUTHORIZED or VALIDATION_ERROR where it refuses.
   */
  async call(method: "GET" | "POST", path: string, body?: object): Promise<VaultAnswer | undefined> {
    const used = await this.#current();
    try {
      return await this.#options.request(method, path, used.token, body);
    } catch (error) {
      if (status(error) !== 403) return this.#answerOf(error, path);
      // A token that ended is denied as one is that may not: with a fresh one Vault says which.
      const fresh = await this.#replacement(used);
      if (fresh === undefined) return this.#answerOf(error, path);
      return this.#options
        .request(method, path, fresh.token, body)
        .catch((again: unknown) => this.#answerOf(again, path));
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #current(): Promise<Token> {
    this.#token ??= this.#login().catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  /** Another token than the one that was denied; undefined where none is to be had. */
  async #replacement(denied: Token): Promise<Token | undefined> {
    const held = await this.#current();
    if (held.token !== denied.token) return held;
    if (!held.replaceable || this.#options.clock.now() < held.since + newMs) return undefined;
    this.#token = undefined;
    const next = await this.#current();
    return next.token === denied.token ? undefined : next;
  }

  async #login(): Promise<Token> {
    const { settings, request, clock, secret } = this.#options;
    const { auth } = settings;
    if (auth.method === "token" || auth.method === "token file") {
      const token = auth.method === "token" ? auth.token : await fromFile(auth.file, "Vault's token");
      secret(token);
      // Vault tells how long it lives; one that may not ask for that is used until it is refused.
      const found = await request("GET", "auth/token/lookup-self", token).catch((error: unknown) => {
        if (status(error) === 403) return undefined;
        return this.#answerOf(error, "auth/token/lookup-self");
      });
      const { ttl = 0, renewable = false } = (found?.data ?? {}) as { ttl?: number; renewable?: boolean };
      const held = { token, replaceable: auth.method === "token file", since: clock.now() };
      if (ttl > 0 && renewable) void this.#keep(held, ttl * 1000);
      return held;
    }
    const given =
      auth.method === "approle"
        ? { role_id: auth.roleId, ...(await this.#secretId(auth)) }
        : { role: auth.role, jwt: await fromFile(auth.tokenFile, "the service account's token") };
    const answer = await request("POST", `auth/${auth.mount}/login`, undefined, given).catch((error: unknown) => {
      const refused = status(error);
      if (refused === 400 || refused === 403 || refused === 404) {
        const { message } = error as VaultError;
        throw new SluiceError("UNAUTHORIZED", `Vault refuses the login by ${auth.method}: ${message || refused}`);
      }
      return this.#answerOf(error, `auth/${auth.mount}/login`);
    });
    if (!answer?.auth) throw new NotReadyError(`Vault at ${settings.address} answered a login with no token`);
    const { client_token: token, lease_duration } = answer.auth;
    secret(token);
    const held = { token, replaceable: true, since: clock.now() };
    if (lease_duration > 0) void this.#keep(held, lease_duration * 1000);
    return held;
  }

  async #secretId(auth: { readonly secretId: string | undefined; readonly secretIdFile: string | undefined }) {
    const { secretId, secretIdFile } = auth;
    const value = secretIdFile === undefined ? secretId : await fromFile(secretIdFile, "the AppRole's secret id");
    if (value === undefined) return {};
    this.#options.secret(value);
    return { secret_id: value };
  }

  /** Renews it until that is not possible any more: then the next call logs in. */
  async #keep(held: Token, firstMs: number): Promise<void> {
    const { request, clock, logger } = this.#options;
    const { signal } = this.#closing;
    let endsAt = clock.now() + firstMs;
    let ms = firstMs;
    for (let wait = firstMs * renewAfter; ; ) {
      await clock.sleep(wait, signal).catch(() => {});
      if (signal.aborted || (await this.#token?.catch(() => undefined)) !== held) return;
      try {
        const { auth } = await request("POST", "auth/token/renew-self", held.token, {});
        const renewedMs = (auth?.lease_duration ?? 0) * 1000;
        endsAt = clock.now() + renewedMs;
        // What is granted shrinks towards the longest life that a token may have.
        if (renewedMs < ms / 2 || auth?.renewable === false) break;
        ms = renewedMs;
        wait = renewedMs * renewAfter;
      } catch (error) {
        if (status(error) !== undefined && status(error) !== 503) break;
        if (clock.now() >= endsAt) break;
        wait = Math.min(retryMs, Math.max(100, endsAt - clock.now()));
      }
    }
    if (held.replaceable) this.#token = undefined;
    else
      logger.warn(
        { seconds: Math.round((endsAt - clock.now()) / 1000) },
        "the token for Vault ends and cannot be renewed",
      );
  }

  /** Throws, save for what is not there. */
  #answerOf(error: unknown, path: string): undefined {
    if (!(error instanceof VaultError)) throw error;
    const { status, message } = error;
    const { address } = this.#options.settings;
    if (status === 404) return undefined;
    if (status === 503 && /sealed/i.test(message)) throw new NotReadyError(`Vault at ${address} is sealed`);
    if (status === undefined || status >= 472 || status === 429) {
      throw new NotReadyError(`Vault at ${address} does not answer (${status === undefined ? message : status})`);
    }
    if (status === 403) throw new SluiceError("FORBIDDEN", `Vault denies access to ${path}`);
    throw new SluiceError("VALIDATION_ERROR", `Vault refuses ${path} (${status}): ${message}`);
  }
}

const status = (error: unknown): number | undefined => (error instanceof VaultError ? error.status : undefined);

async function fromFile(file: string, what: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SluiceError("UNAUTHORIZED", `${what} cannot be read from ${file} (${code})`);
  }
}
