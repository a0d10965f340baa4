import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Page, PageOptions } from "./page.ts";

/** On whose behalf the store is asked. */
export interface Caller {
  /** Of the key, or `oidc:` with the token's team and subject; left out: not known. */
  readonly id?: string | undefined;
  /** Name of the key or the token's subject: who did it, in the audit log. */
  readonly name: string;
  /** A team, which sees only what is its own; null: everything. */
  readonly owner: string | null;
  /** Of the request that it came with. */
  readonly requestId: string | null;
  /** W3C Trace Context that the request came with; left out: none. */
  readonly traceparent?: string | undefined;
}

export interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  /** The first characters of the key, to know it by. */
  readonly prefix: string;
  readonly role: string;
  /** Narrows the role down; null: all that it may. */
  readonly scopes: readonly string[] | null;
  readonly owner: string | null;
  /** Requests a minute, 0: as many as it likes; null: as many as everybody. */
  readonly rateLimit: number | null;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export type NewApiKey = Pick<
  ApiKeyRow,
  "id" | "name" | "prefix" | "role" | "scopes" | "owner" | "expiresAt" | "rateLimit"
> & {
  /** SHA-256 of the key, which is not kept. */
  readonly hash: Uint8Array;
};

export interface ApiKeyListOptions extends PageOptions {
  readonly sort?: "-created_at" | "created_at" | "name" | "-name";
  /** Part of the name, in any case. */
  readonly search?: string | null;
  readonly role?: string | null;
  readonly revoked?: boolean | null;
}

export interface ApiKeyStore {
  create(key: NewApiKey): Promise<ApiKeyRow>;
  /** Makes it where its hash is not known; false where it is. */
  ensure(key: NewApiKey): Promise<boolean>;
  /** One that is neither revoked nor expired. */
  byHash(hash: Uint8Array): Promise<ApiKeyRow | null>;
  /** The same for many at once: those that there are, by their hashes in base64. */
  byHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, ApiKeyRow>>;
  get(id: string): Promise<ApiKeyRow | null>;
  /** Newest first; revoked ones, too. */
  list(options: ApiKeyListOptions): Promise<Page<ApiKeyRow>>;
  /** False where it is revoked already, or there is none. */
  revoke(id: string): Promise<boolean>;
  /** That they were used now. */
  used(ids: readonly string[]): Promise<void>;
}

/** One change: who, what, before and after. Secrets are in none of them. */
export interface AuditRow {
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  /** Of the key, or of the token's subject; null where it is not known. */
  readonly actorId: string | null;
  readonly owner: string | null;
  readonly requestId: string | null;
  /** What was done, such as `connector.updated`. */
  readonly action: string;
  /** Id and name of what it was done to; null: the platform as a whole. */
  readonly resourceId: string | null;
  readonly resourceName: string | null;
  readonly before: Json;
  readonly after: Json;
}

export interface AuditListOptions extends PageOptions {
  readonly resourceId: string | null;
  readonly actor: string | null;
  readonly actorId?: string | null;
  /** Such as `connector.updated`, or `connector` for all that is done to those. */
  readonly action?: string | null;
  readonly since?: Date | null;
  readonly until?: Date | null;
  readonly sort?: "-at" | "at";
}

export interface AuditStore {
  /** Notes what is no change of a row: which of those that the store makes it notes itself. */
  note(action: string, after: JsonObject): Promise<void>;
  /** Newest first unless `sort` says otherwise. */
  list(options: AuditListOptions): Promise<Page<AuditRow>>;
}
