import { ConnectorError } from "../errors.ts";

export type AuthOptions =
  | { readonly type: "bearer"; readonly token: string }
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "api_key"; readonly header: string; readonly value: string }
  | {
      readonly type: "oauth2_client_credentials";
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope?: string;
    };

const marginMs = 60_000;
const defaultSeconds = 300;

/** Credentials as headers; a token is taken once for all requests that wait for it, and anew before it ends. */
export class ApiAuth {
  readonly #options: AuthOptions | undefined;
  #token: Promise<{ readonly value: string; readonly until: number }> | undefined;

  constructor(options: AuthOptions | undefined) {
    this.#options = options;
  }

  async headers(signal: AbortSignal): Promise<Record<string, string>> {
    const options = this.#options;
    switch (options?.type) {
      case undefined:
        return {};
      case "bearer":
        return { authorization: `Bearer ${options.token}` };
      case "basic": {
        const credentials = Buffer.from(`${options.username}:${options.password}`).toString("base64");
        return { authorization: `Basic ${credentials}` };
      }
      case "api_key":
        return { [options.header.toLowerCase()]: options.value };
      case "oauth2_client_credentials": {
        const kept = await this.#token?.catch(() => undefined);
        if (kept === undefined || performance.now() > kept.until) this.#token = requestToken(options, signal);
        return { authorization: `Bearer ${(await this.#token!).value}` };
      }
    }
  }

  /** Whether another try may have a better credential. */
  renew(): boolean {
    const had = this.#token !== undefined;
    this.#token = undefined;
    return had;
  }
}

async function requestToken(
  { tokenUrl, clientId, clientSecret, scope }: Extract<AuthOptions, { type: "oauth2_client_credentials" }>,
  signal: AbortSignal,
) {
  const body = new URLSearchParams({ grant_type: "client_credentials", ...(scope !== undefined && { scope }) });
  const part = (text: string) => encodeURIComponent(text).replaceAll("%20", "+");
  const credentials = Buffer.from(`${part(clientId)}:${part(clientSecret)}`).toString("base64");
  const refused = (why: string) =>
    new ConnectorError("UNAUTHORIZED", `The token endpoint ${why}.`, { fault: "destination", path: "config" });
  let answer: Response;
  try {
    answer = await fetch(tokenUrl, {
      method: "POST",
      body,
      headers: { authorization: `Basic ${credentials}` },
      signal,
    });
  } catch {
    signal.throwIfAborted();
    throw new ConnectorError("UNAVAILABLE", "The token endpoint does not answer.", {
      fault: "destination",
      path: "config",
    });
  }
  const found = (await answer.json().catch(() => ({}))) as { access_token?: unknown; expires_in?: unknown };
  if (!answer.ok || typeof found.access_token !== "string") throw refused(`answered ${answer.status} and no token`);
  const seconds = typeof found.expires_in === "number" ? found.expires_in : defaultSeconds;
  const lifeMs = seconds * 1_000;
  return { value: found.access_token, until: performance.now() + lifeMs - Math.min(marginMs, lifeMs / 10) };
}
