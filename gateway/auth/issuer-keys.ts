import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey, type RemoteJWKSet } from "jose";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";

/** How long keys are taken as the issuer's, and how long where it is away: then they are looked for all the time. */
const freshMs = 10 * 60_000;
const staleMs = 24 * 60 * 60_000;
/** An issuer that failed is left alone for so long, whoever asks. */
const restMs = 5_000;
const timeoutMs = 5_000;

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** A key that is not known makes the issuer be asked again, no more often than this. */
  readonly cooldownMs: number;
}

/**
 * The public keys of an issuer, found by OpenID Connect Discovery 1.0 and asked for when they are needed. Throws
 * UNAVAILABLE where the issuer is away and what is known of it does not do.
 */
export function issuerKeys({ issuer, cooldownMs }: IssuerKeysOptions): JWTVerifyGetKey {
  let keys: Promise<RemoteJWKSet> | undefined;
  let gotAt = Number.NEGATIVE_INFINITY;
  let restUntil = Number.NEGATIVE_INFINITY;

  async function get(url: string, init: RequestInit): Promise<Response> {
    if (performance.now() < restUntil) throw away("it failed a moment ago");
    try {
      const response = await fetch(url, init);
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
      return response;
    } catch (error) {
      restUntil = performance.now() + restMs;
      const { cause } = error as { cause?: { code?: string } };
      throw away(cause?.code ?? messageOf(error), error);
    }
  }

  function away(why: string, cause?: unknown): SluiceError {
    return new SluiceError("UNAVAILABLE", `the issuer ${issuer} does not tell its keys: ${why}`, [], cause);
  }

  async function discover(): Promise<RemoteJWKSet> {
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await get(url, { redirect: "manual", signal, headers: { accept: "application/json" } });
    const found = (await answer.json().catch(() => null)) as { issuer?: unknown; jwks_uri?: unknown } | null;
    // Whoever tells keys in another's name, or over a connection that anybody may change, is not believed.
    if (found?.issuer !== issuer) throw away(`${url} is about another issuer`);
    if (typeof found.jwks_uri !== "string" || !isTrustworthy(found.jwks_uri)) throw away("its jwks_uri is not https");
    return createRemoteJWKSet(new URL(found.jwks_uri), {
      cooldownDuration: cooldownMs,
      cacheMaxAge: Number.POSITIVE_INFINITY,
      timeoutDuration: timeoutMs,
      [customFetch]: async (url, init) => {
        const answer = await get(url, init);
        gotAt = performance.now();
        return answer;
      },
    });
  }

  return async (header, token) => {
    keys ??= discover();
    const known = await keys.catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    if (known.jwks() !== undefined && performance.now() > gotAt + freshMs) {
      await known.reload().catch((error: unknown) => {
        if (performance.now() > gotAt + staleMs) throw error;
      });
    }
    return known(header, token);
  };
}

/** https, or this machine's own http. */
export function isTrustworthy(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  const isLocal = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return protocol === "https:" || (protocol === "http:" && isLocal);
}
