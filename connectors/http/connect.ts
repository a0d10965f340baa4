import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { Agent, buildConnector } from "undici";
import type { AddressGuard } from "./addresses.ts";

/** What happened before a request could be sent. */
export class ConnectFailure extends Error {
  override readonly name = "ConnectFailure";
  readonly kind: "address" | "dns" | "connect" | "tls" | "timeout";

  constructor(kind: ConnectFailure["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface ConnectOptions {
  readonly guard: AddressGuard;
  readonly timeoutMs: number;
  /** To one origin at once. */
  readonly connections: number;
  readonly tls: { readonly ca?: string; readonly verify?: boolean };
}

/**
 * An agent whose every connection goes to an address that was looked at: a name is resolved once, and what was checked
 * is what is connected to.
 */
export function createAgent({ guard, timeoutMs, connections, tls }: ConnectOptions): Agent {
  const connect = buildConnector({
    timeout: timeoutMs,
    allowH2: false,
    rejectUnauthorized: tls.verify ?? true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    lookup: guarded(guard),
  });
  return new Agent({
    connections,
    allowH2: false,
    // Other than that a body is as long as it is: what reads it has limits.
    maxResponseSize: -1,
    connect: (options, callback) => {
      const host = options.hostname.replace(/^\[(.*)\]$/, "$1");
      if (isIP(host) !== 0 && !guard.allows(host)) {
        callback(refused(host, host), null);
        return;
      }
      connect(options, (...[error, socket]: [Error, null] | [null, Socket]) => {
        if (error === null) callback(null, socket as Socket);
        else callback(failureOf(error), null);
      });
    },
  });
}

function guarded(guard: AddressGuard): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }).then(
      (found) => {
        const open = found.filter(({ address }) => guard.allows(address));
        const [first] = open;
        if (first === undefined) {
          callback(refused(host, found[0]?.address ?? ""), []);
        } else if (options.all) callback(null, open);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => {
        callback(
          new ConnectFailure("dns", `the name ${host} is not resolved (${error.code ?? error.message})`, error),
          [],
        );
      },
    );
  };
}

function refused(host: string, address: string): ConnectFailure {
  const what = host === address ? address : `${host} (${address})`;
  const message = `${what} is no public address, and SLUICE_ALLOW_ADDRESSES does not name it`;
  return new ConnectFailure("address", message);
}

/** Of errors that say several things at once, the first tells. */
function failureOf(error: Error): ConnectFailure {
  if (error instanceof ConnectFailure) return error;
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  if (first instanceof ConnectFailure) return first;
  const code = "code" in first ? String(first.code) : "";
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") {
    return new ConnectFailure("timeout", "no connection in time", error);
  }
  const isTls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/.test(code);
  // OpenSSL's text has several parts, of which the first is enough.
  const text = (first.message.split("\n")[0] as string).replace(/\.$/, "");
  return new ConnectFailure(isTls ? "tls" : "connect", isTls ? `TLS: ${text}` : text, error);
}
