import type { LogHistory, LogKind, LogService } from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { logHistory } from "./history.ts";
import { connectNats, type NatsLink, type NatsOptions } from "./link.ts";
import { JetStreamLog } from "./log.ts";
import { confirmStream, foundStream, integrationOfStream, streamConfig, subjectsOf } from "./stream.ts";

export interface LogsOptions extends NatsOptions {
  /** Where batches go that are larger than a message may be. */
  readonly claims: ClaimStore;
  /** Copies of each log; unless set 3 in a cluster, and 1, which relies on `sync_interval: always`, elsewhere. */
  readonly replicas?: number | undefined;
  /** Size of a stream at which it takes no more, in bytes; the last wall, unlimited unless set. */
  readonly maxBytes?: number;
  readonly ackWaitMs?: number;
  readonly maxAckPending?: number;
  /**
   * Called when the server has not confirmed an append for ten seconds (five in a cluster) although it is connected, and
   * every so often while that goes on. A nats-server that once failed to write a stream (disk full) stays so until it
   * is restarted.
   */
  readonly onUnconfirmed?: () => void;
}

export interface JetStreamLogs extends LogService {
  /** The connection, for what else lives on it (joinCluster). */
  readonly link: NatsLink;
  /** Copies of each log. */
  readonly replicas: number;
  readonly history: LogHistory;
  open(integrationId: string, kind: LogKind, above?: number, signal?: AbortSignal): Promise<JetStreamLog>;
  /** Whether the server has the log: one that was made and is missing must not be made again without a word. */
  exists(integrationId: string, kind: LogKind): Promise<boolean>;
  /** Closes the logs that are open and the connection. */
  close(): Promise<void>;
}

/** A confirmed append is on two servers at least. */
const clusterReplicas = 3;

/** The durable logs on one connection to nats-server. Throws when the server cannot be reached at first. */
export async function connectLogs(options: LogsOptions): Promise<JetStreamLogs> {
  const { claims, maxBytes = -1, ackWaitMs = 3_000, maxAckPending = 1_000 } = options;
  const onUnconfirmed = options.onUnconfirmed ?? (() => {});
  const link = await connectNats(options);
  const replicas = options.replicas ?? (link.connection.info?.cluster === undefined ? 1 : clusterReplicas);
  const opened = new Set<JetStreamLog>();
  const closing = new AbortController();
  const kinds = ["ingest", "deliver"] as const;

  const at = (integrationId: string, kind: LogKind, replicas: number) => {
    const log = new JetStreamLog({
      link,
      subjects: subjectsOf(integrationId, kind),
      claims,
      replicas,
      ackWaitMs,
      maxAckPending,
      onUnconfirmed,
      onClose: () => opened.delete(log),
    });
    opened.add(log);
    return log;
  };

  const found = (integrationId: string, kind: LogKind, signal = closing.signal) =>
    link.retry(() => foundStream(link, subjectsOf(integrationId, kind).stream), { signal });
  /** How many copies the log has; 0 where the server has no such log. */
  const copies = async (integrationId: string, kind: LogKind) => (await found(integrationId, kind)).copies;

  return {
    link,
    replicas,
    history: logHistory(link, claims),
    exists: async (integrationId, kind) => (await copies(integrationId, kind)) > 0,
    async open(integrationId, kind, above = 0, given) {
      const subjects = subjectsOf(integrationId, kind);
      const signal = given ? AbortSignal.any([closing.signal, given]) : closing.signal;
      const { copies: kept, isConfirmed } = await found(integrationId, kind, signal);
      if (kept === 0) {
        const config = streamConfig(subjects, { replicas, maxBytes, above });
        await link.retry(() => link.jsm.streams.add(config), { signal });
      } else if (kept < replicas) {
        // Made when there were fewer servers.
        await link.retry(() => link.jsm.streams.update(subjects.stream, { num_replicas: replicas }), { signal });
      }
      // Before anything is in it.
      if (!isConfirmed) await link.retry(() => confirmStream(link, subjects.stream), { signal });
      return at(integrationId, kind, Math.max(kept, replicas));
    },
    async all() {
      const ids = new Set<string>();
      await link.retry(
        async () => {
          for await (const name of link.jsm.streams.names("sluice.>")) {
            const id = integrationOfStream(name);
            if (id !== undefined) ids.add(id);
          }
        },
        { signal: closing.signal },
      );
      return [...ids];
    },
    async remove(integrationId, which = kinds) {
      for (const kind of which) {
        const kept = await copies(integrationId, kind);
        if (kept === 0) continue;
        const log = at(integrationId, kind, kept);
        await log.remove();
        await log.close();
      }
    },
    async spareClaims(integrationId) {
      const spare = new Set(await claims.ids(integrationId));
      return async () => {
        for (const kind of kinds) {
          if (spare.size === 0) return;
          const kept = await copies(integrationId, kind);
          if (kept === 0) continue;
          const log = at(integrationId, kind, kept);
          for (const claim of await log.claims().finally(() => log.close())) spare.delete(claim);
        }
        if (spare.size > 0) await claims.remove([...spare]);
      };
    },
    status: {
      get connected() {
        return link.connected;
      },
      get reason() {
        return link.reason;
      },
    },
    async close() {
      closing.abort(new Error("the logs are closed"));
      await Promise.all([...opened].map((log) => log.close()));
      await link.close();
    },
  };
}
