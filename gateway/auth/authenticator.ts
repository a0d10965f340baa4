import { SluiceError } from "../../runtime/errors/index.ts";
import type { ApiKeyRow, ApiKeyStore } from "../../runtime/ports/identity.ts";
import { gathered } from "./gathered.ts";
import { hashOf } from "./keys.ts";
import { type Scope, scopesOf } from "./scopes.ts";

/** Who makes a request, and what it may. */
export interface Identity {
  /** Of the key, or of the token's subject. */
  readonly id: string;
  /** Of the key, or `oidc:` and the token's subject. */
  readonly name: string;
  /** A team, which sees only what is its own; null: everything. */
  readonly owner: string | null;
  /** Null: none, or what it may is known by its scopes alone. */
  readonly role: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** Null: never. */
  readonly expiresAt: Date | null;
  /** Requests a minute, 0: as many as it likes; null: as many as everybody. */
  readonly rateLimit: number | null;
}

export interface Authenticator {
  /**
   * Whose a bearer token is; null: it is none of ours, or none any more. Throws SluiceError: UNAUTHORIZED that says what
   * is wrong with it, FORBIDDEN, or UNAVAILABLE where that cannot be told now. `isFlood`: it is one of many, most of which
   * are none, and may wait a moment, so that the store is asked for all of them at once.
   */
  verify(token: string, isFlood?: boolean): Promise<Identity | null>;
}

const isJwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** How long a key that was found good is taken as such, so that not every request asks the store. */
const trustMs = 10_000;
/**
 * A key that was good so recently is taken as good while the store cannot be asked: nobody can revoke it there either,
 * and whoever watches a node by its metrics sees them then, too.
 */
const awayMs = 60_000;
/** That a key was used is kept by the minute. */
const usedMs = 60_000;

/**
 * Looks keys up by their SHA-256: what is compared is a hash that a caller cannot steer, so that the time a comparison
 * takes tells nothing about a key. What has the form of a JWT is the issuer's, where one is set.
 */
export function createAuthenticator(keys: ApiKeyStore, issuer?: Authenticator): Authenticator {
  const trusted = new Map<string, { readonly identity: Identity; readonly until: number }>();
  const used = new Map<string, number>();
  const amongMany = gathered((hashes) => keys.byHashes(hashes));

  function note({ id }: ApiKeyRow): void {
    const now = performance.now();
    if ((used.get(id) ?? Number.NEGATIVE_INFINITY) > now - usedMs) return;
    used.set(id, now);
    // Best effort: a request is not refused for want of a note.
    keys.used([id]).catch(() => {});
  }

  return {
    async verify(token, isFlood = false) {
      if (issuer !== undefined && isJwt.test(token)) return issuer.verify(token);
      const hash = hashOf(token);
      const key = hash.toString("base64");
      const held = trusted.get(key);
      if (held !== undefined && held.until > performance.now()) return held.identity;
      let row: ApiKeyRow | null;
      try {
        row = await (isFlood ? amongMany(key) : keys.byHash(hash));
      } catch (error) {
        const isAway = error instanceof SluiceError && error.code === "UNAVAILABLE";
        if (!isAway || held === undefined || held.until + awayMs < performance.now() || isOver(held.identity))
          throw error;
        trusted.set(key, { ...held, until: performance.now() + trustMs });
        return held.identity;
      }
      // As many entries as there are keys that exist: what is refused is not kept.
      if (row === null) {
        trusted.delete(key);
        return null;
      }
      note(row);
      const { id, name, owner, role, scopes, expiresAt, rateLimit } = row;
      const may = scopesOf(role, scopes, owner);
      const identity = { id, name, owner, role, scopes: may, expiresAt, rateLimit };
      const leftMs = expiresAt === null ? trustMs : Math.min(trustMs, expiresAt.getTime() - Date.now());
      trusted.set(key, { identity, until: performance.now() + leftMs });
      return identity;
    },
  };
}

const isOver = ({ expiresAt }: Identity) => expiresAt !== null && expiresAt.getTime() <= Date.now();
