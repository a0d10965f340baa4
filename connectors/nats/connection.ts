import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
} from "@nats-io/transport-node";
import type { ConnectorError } from "../sdk/index.ts";
import type { NatsConfig } from "./config.ts";
import { away, connectError, forbidden, messageOf } from "./errors.ts";

export interface Link {
  readonly connection: NatsConnection;
  /** Aborts when the connection is lost, and when the server does not let its user do what was asked. */
  readonly lost: AbortSignal;
  /** The same, but for what its user may not publish: that is told to `refusals` by its subject. */
  readonly ended: AbortSignal;
  readonly refusals: Set<(subject: string, why: ConnectorError) => void>;
  close(): Promise<void>;
}

const encoder = new TextEncoder();

/**
 * A connection that is not mended by itself: whoever uses it hears of its end, says so, and makes another. Nothing is
 * silent, and nothing is sent twice unseen.
 */
export async function openLink(config: NatsConfig, connectMs: number, signal?: AbortSignal): Promise<Link> {
  signal?.throwIfAborted();
  let connection: NatsConnection;
  try {
    connection = await connect(optionsOf(config, connectMs));
  } catch (error) {
    throw connectError(error, config);
  }
  const lost = new AbortController();
  const ended = new AbortController();
  const refusals: Link["refusals"] = new Set();
  const end = (why: ConnectorError) => {
    ended.abort(why);
    lost.abort(why);
  };
  connection.closed().then((error) => {
    const why = error instanceof Error ? `: ${messageOf(error)}` : "";
    end(away(`The connection to nats-server was lost${why}`));
  });
  void watch(connection, (error) => {
    const why = forbidden(error);
    if (error.operation !== "publish" || error.subject === "") return end(why);
    lost.abort(why);
    for (const refused of refusals) refused(error.subject, why);
  });
  const close = async () => {
    await connection.close();
  };
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  return { connection, lost: lost.signal, ended: ended.signal, refusals, close };
}

type Violation = InstanceType<typeof errors.PermissionViolationError>;

async function watch(connection: NatsConnection, refused: (error: Violation) => void): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type !== "error") continue;
    if (status.error instanceof errors.PermissionViolationError) refused(status.error);
  }
}

function optionsOf({ servers, user, password, token, nkey, creds, tls }: NatsConfig, connectMs: number) {
  const isTls = tls !== undefined ? tls !== false : servers.some((server) => server.startsWith("tls://"));
  const { verify = true, first = false, ...certificates } = typeof tls === "object" ? tls : {};
  const authenticator =
    creds !== undefined
      ? credsAuthenticator(encoder.encode(creds))
      : nkey !== undefined
        ? nkeyAuthenticator(encoder.encode(nkey))
        : undefined;
  const options: ConnectionOptions = {
    servers: servers.map((server) => server.replace(/^\w+:\/\//, "").replace(/\/$/, "")),
    name: "sluice connector",
    reconnect: false,
    timeout: connectMs,
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(user !== undefined && { user, pass: password }),
    ...(token !== undefined && { token }),
    ...(authenticator && { authenticator }),
    ...(isTls && {
      tls: { ...certificates, ...(first && { handshakeFirst: true }), ...(!verify && { rejectUnauthorized: false }) },
    }),
  };
  return options;
}
