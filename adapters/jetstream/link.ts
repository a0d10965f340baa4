import { setTimeout as delay } from "node:timers/promises";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { messageOf } from "../../runtime/errors/index.ts";
import { DisconnectedError, isNoResponders, isStreamNotFound, LogMissingError, reasonOfThrown } from "./errors.ts";

export interface NatsOptions {
  /** `nats://host:port` or `tls://…`, several separated by commas; credentials in it are used where none are given beside it. */
  readonly url: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
}

/** A node's one connection to nats-server, which it never gives up. */
export interface NatsLink {
  readonly name: string;
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly connected: boolean;
  /** Why the link is down, or what keeps a log from taking appends; undefined when all is well. */
  readonly reason: string | undefined;
  /** Called when the connection is lost (false) and when it is back (true); returns how to stop that. */
  onChange(listener: (connected: boolean) => void): () => void;
  /** Resolves when the server is connected. Rejects when `signal` aborts. */
  whenConnected(signal?: AbortSignal): Promise<void>;
  /** Rejects with DisconnectedError at once when the connection is lost; the client alone would wait for its timeout. */
  call<T>(request: () => Promise<T>): Promise<T>;
  /** Calls until it succeeds, with backoff; a missing `stream` is an error (LogMissingError), and `signal` ends it. */
  retry<T>(request: () => Promise<T>, options: { signal: AbortSignal; stream?: string }): Promise<T>;
  /** Throws LogMissingError when the server says for sure that there is no such stream. */
  requireStream(stream: string): Promise<void>;
  /** What keeps `who` waiting, for `reason`; undefined when it no longer waits. */
  trouble(who: object, reason: string | undefined): void;
  /** Flushes what was published, then disconnects. */
  close(): Promise<void>;
}

/** Milliseconds before try `n` (from 1), half of it by chance so that many do not come back at once. */
export function backoffMs(n: number): number {
  return Math.min(50 * 2 ** n, 2000) * (0.5 + Math.random() / 2);
}

/** Throws one sentence when the server cannot be had at first; afterwards it reconnects for ever. */
export async function connectNats(options: NatsOptions): Promise<NatsLink> {
  const urls = options.url
    .split(",")
    .map((text) => new URL(text.includes("://") ? text.trim() : `nats://${text.trim()}`));
  const { username, password } = urls[0]!;
  const user = options.user ?? (password === "" ? undefined : decodeURIComponent(username));
  const token = options.token ?? (password === "" && username !== "" ? decodeURIComponent(username) : undefined);
  const hosts = urls.map((url) => url.host);
  const connection = await connect({
    servers: hosts,
    ...(urls[0]!.protocol === "tls:" && { tls: {} }),
    name: options.name,
    ...(token !== undefined && { token }),
    ...(user !== undefined && { user, pass: options.password ?? decodeURIComponent(password) }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    timeout: 5_000,
    // A stack for each request costs more than the request.
    noAsyncTraces: true,
  }).catch((error: unknown) => {
    throw new Error(`nats-server at ${hosts.join(", ")} cannot be reached: ${messageOf(error)}`, { cause: error });
  });
  const js = jetstream(connection);
  const jsm = await jetstreamManager(connection, { checkAPI: false });

  let connected = true;
  const listeners = new Set<(connected: boolean) => void>();
  const troubles = new Map<object, string>();
  const watch = async () => {
    for await (const status of connection.status()) {
      const now = status.type === "reconnect" ? true : status.type === "disconnect" ? false : connected;
      if (now === connected) continue;
      connected = now;
      for (const listener of [...listeners]) listener(now);
    }
  };
  void watch();

  const link: NatsLink = {
    name: options.name,
    connection,
    js,
    jsm,
    get connected() {
      return connected;
    },
    get reason() {
      if (!connected) return `nats-server at ${hosts.join(", ")} is away`;
      return troubles.values().next().value;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenConnected(signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (connected) return resolve();
        const end = () => {
          off();
          signal?.removeEventListener("abort", abort);
        };
        const abort = () => {
          end();
          reject(signal?.reason);
        };
        const off = link.onChange((now) => {
          if (!now) return;
          end();
          resolve();
        });
        signal?.addEventListener("abort", abort);
      });
    },
    call(request) {
      if (!connected) return Promise.reject(new DisconnectedError(link.reason));
      return new Promise((resolve, reject) => {
        const off = link.onChange(() => reject(new DisconnectedError("the connection to nats-server was lost")));
        request().then(resolve, reject).finally(off);
      });
    },
    async retry(request, { signal, stream }) {
      const self = {};
      try {
        for (let tries = 1; ; tries++) {
          await link.whenConnected(signal);
          try {
            return await link.call(request);
          } catch (error) {
            if (stream !== undefined && isStreamNotFound(error)) throw missing(stream);
            if (stream !== undefined && isNoResponders(error)) await link.requireStream(stream);
            link.trouble(self, reasonOfThrown(error));
          }
          await delay(backoffMs(tries), undefined, { signal });
        }
      } finally {
        link.trouble(self, undefined);
      }
    },
    async requireStream(stream) {
      try {
        await link.call(() => jsm.streams.info(stream));
      } catch (error) {
        if (isStreamNotFound(error)) throw missing(stream);
        // Anything else says nothing about the stream.
      }
    },
    trouble(who, reason) {
      if (reason === undefined) troubles.delete(who);
      else troubles.set(who, reason);
    },
    async close() {
      if (connection.isClosed()) return;
      if (connected) await Promise.race([connection.drain().catch(() => {}), delay(2_000, undefined, { ref: false })]);
      await connection.close();
    },
  };
  return link;
}

function missing(stream: string): LogMissingError {
  return new LogMissingError(`the log ${stream} is missing from nats-server: its folder was removed or replaced`);
}
