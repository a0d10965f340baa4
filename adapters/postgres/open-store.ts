import { SluiceError } from "../../runtime/errors/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import type { Store } from "../../runtime/ports/store.ts";
import { apiKeyStore } from "./api-keys.ts";
import { auditStore } from "./audit.ts";
import { checkpointStore } from "./checkpoints.ts";
import { claimStore } from "./claims.ts";
import { connectorEventStore } from "./connector-events.ts";
import { connectorStore } from "./connectors.ts";
import { type Database, openPool } from "./database.ts";
import { deadLetterStore } from "./dead-letters.ts";
import { guarded } from "./errors.ts";
import { idempotencyStore } from "./idempotency.ts";
import { integrationStore } from "./integrations.ts";
import { migrate } from "./migrate.ts";
import { maintain } from "./partitions.ts";
import { pluginStore } from "./plugins.ts";
import { quotaStore } from "./quotas.ts";
import { replayStore } from "./replays.ts";
import { retryStore } from "./retries.ts";
import { runStore } from "./runs.ts";
import { scheduleStore } from "./schedules.ts";
import { schemaStore } from "./schemas.ts";
import { suspectStore } from "./suspects.ts";

export interface StoreOptions {
  /** `postgres://user:password@host:port/database`; the database is made where it does not exist; default `sluice`. */
  readonly url: string;
  /** At most so many connections for everything but flushes. Default 10. */
  readonly connections?: number;
  /** For a statement outside of a transaction, such as a list of the API. Default 15,000. */
  readonly statementTimeoutMs?: number;
  /** For a statement of a flush, before the server says that it takes longer. Default 10,000. */
  readonly flushTimeoutMs?: number;
  /** Days that runs are kept. Default 90. */
  readonly retentionDays?: number;
  /** Days that dead letters are kept, unresolved ones too. Default: as runs. */
  readonly deadLetterDays?: number;
  /** Days that the audit log is kept. Default: for ever. */
  readonly auditDays?: number;
  /** For a day of history to be left by those who read it. Default 10,000. */
  readonly dropTimeoutMs?: number;
}

export interface PostgresStore extends Store {
  /**
   * Makes partitions ahead and drops history past its retention. Done at open; to be called when a day begins. `now` left
   * out: by the clocks of this machine and of the database, of which both have to say so before anything is dropped.
   */
  maintain(now?: Date): Promise<void>;
}

/** For a statement in a transaction: a run of millions of dead letters is removed in one. */
const mostMs = 120_000;
/** Of a node's flushes only one is under way at a time; the second is for a repeat while the first times out. */
const flushConnections = 2;

/**
 * Opens the store: migrations are applied first, in turn where nodes start together. Throws SluiceError: UNAVAILABLE
 * where the server is away, UNAUTHORIZED where it refuses the user, CONFLICT where the database does not suit,
 * VALIDATION_ERROR for the URL. Later losses of the connection are UNAVAILABLE from the method concerned, to be tried
 * again.
 */
export async function openStore(options: StoreOptions): Promise<PostgresStore> {
  const { connections = 10, statementTimeoutMs = 15_000, flushTimeoutMs = 10_000 } = options;
  const { retentionDays: runs = 90, deadLetterDays: deadLetters = runs } = options;
  const { auditDays: audit = Number.POSITIVE_INFINITY, dropTimeoutMs = 10_000 } = options;
  const maintenance = { retention: { runs, deadLetters, audit }, dropTimeoutMs };
  const url = withDatabase(options.url);
  await migrate(url);
  const pool = { url, statementTimeoutMs };
  const main = openPool({ ...pool, connections, transactionTimeoutMs: { firstMs: mostMs, mostMs } });
  // The node settles nothing while it waits for a flush: a connection that died in one is given up soon.
  const flushLimits = { firstMs: flushTimeoutMs, mostMs };
  const flushes = openPool({ ...pool, connections: flushConnections, transactionTimeoutMs: flushLimits });
  const close = async () => {
    await Promise.all([main.close(), flushes.close()]);
  };
  const store: PostgresStore = {
    ...storeOn(main.database, flushes.database, { ping: main.ping, close }, null),
    async maintain(now) {
      if (now) return maintain(main, now, maintenance);
      const [row] = await main.database.query<{ now: Date }>("select now()");
      return maintain(main, new Date(), { ...maintenance, droppedAt: row?.now });
    },
  };
  try {
    await store.maintain();
  } catch (error) {
    await close();
    throw error;
  }
  return store;
}

/** Its parts are made when they are first asked for: a request needs one or two of them. */
function storeOn(db: Database, flushes: Database, pool: Pick<Store, "ping" | "close">, caller: Caller | null): Store {
  const made: { -readonly [P in keyof Store]?: Store[P] } = {};
  return {
    get plugins() {
      return (made.plugins ??= guarded(pluginStore(db, caller)));
    },
    get connectors() {
      return (made.connectors ??= guarded(connectorStore(db, caller)));
    },
    get connectorEvents() {
      return (made.connectorEvents ??= guarded(connectorEventStore(db)));
    },
    get integrations() {
      return (made.integrations ??= guarded(integrationStore(db, caller)));
    },
    get runs() {
      return (made.runs ??= guarded(runStore(db, caller)));
    },
    get deadLetters() {
      return (made.deadLetters ??= guarded(deadLetterStore(db, caller)));
    },
    get replays() {
      return (made.replays ??= guarded(replayStore(db, caller)));
    },
    get retries() {
      return (made.retries ??= guarded(retryStore(db)));
    },
    get schedules() {
      return (made.schedules ??= guarded(scheduleStore(db)));
    },
    get checkpoints() {
      return (made.checkpoints ??= guarded(checkpointStore(db, flushes)));
    },
    get claims() {
      return (made.claims ??= guarded(claimStore(db)));
    },
    get schemas() {
      return (made.schemas ??= guarded(schemaStore(db)));
    },
    get quotas() {
      return (made.quotas ??= guarded(quotaStore(db)));
    },
    get suspects() {
      return (made.suspects ??= guarded(suspectStore(db)));
    },
    get idempotency() {
      return (made.idempotency ??= guarded(idempotencyStore(db)));
    },
    get apiKeys() {
      return (made.apiKeys ??= guarded(apiKeyStore(db, caller)));
    },
    get audit() {
      return (made.audit ??= guarded(auditStore(db, caller)));
    },
    as: (other) => storeOn(db, flushes, pool, other),
    transaction: (work) => db.transaction((tx) => work(storeOn(tx, tx, pool, caller))),
    ...pool,
  };
}

function withDatabase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    // Not quoted: it may hold a password.
    throw new SluiceError(
      "VALIDATION_ERROR",
      "the database's URL must read postgres://user:password@host:port/database",
    );
  }
  if (parsed.pathname.length <= 1) parsed.pathname = "/sluice";
  return parsed.href;
}
