import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { ConnectorError, type ErrorCode, sentence } from "../sdk/index.ts";
import type { NatsConfig } from "./config.ts";

/** Why nobody could connect, by the setting at fault. */
export function connectError(error: unknown, { servers, ...config }: NatsConfig): ConnectorError {
  const message = messageOf(error);
  const where = `nats-server at ${servers.join(", ")}`;
  const fault = "destination";
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError) {
    const path = (["creds", "nkey", "token", "password"] as const).find((name) => config[name] !== undefined);
    const text = `${where} refuses the log-in: ${message}`;
    return new ConnectorError("UNAUTHORIZED", sentence(text), {
      fault,
      path: `config.${path ?? "user"}`,
      cause: error,
    });
  }
  const isTls = /certificate|tls|ssl|self-signed|altname/i.test(message);
  const path = isTls ? "config.tls" : "config.servers";
  return new ConnectorError("UNAVAILABLE", sentence(`${where} cannot be reached: ${message}`), {
    fault,
    path,
    cause: error,
  });
}

/** The connection was lost, or an answer did not come: what was under way may have been done. */
export function away(why: string): ConnectorError {
  return new ConnectorError("UNAVAILABLE", sentence(why), { fault: "transient" });
}

/** What JetStream's API refused, by the setting at fault. */
export function apiError(error: unknown, what: string, path: string): ConnectorError {
  if (error instanceof ConnectorError) return error;
  if (error instanceof JetStreamApiError) {
    const { code, description } = error.apiError();
    const message = sentence(`${what}: ${description}`);
    if (code >= 500 || code === 429) return new ConnectorError("UNAVAILABLE", message, { fault: "transient", path });
    return new ConnectorError(code === 404 ? "NOT_FOUND" : "VALIDATION_ERROR", message, { fault: "destination", path });
  }
  if (error instanceof errors.PermissionViolationError) return forbidden(error);
  if (isNoResponders(error)) {
    const message = sentence(`${what}: JetStream does not answer; it may be off in this server or account`);
    return new ConnectorError("UNAVAILABLE", message, { fault: "destination", path });
  }
  return away(`${what}: ${messageOf(error)}`);
}

export function forbidden({
  operation,
  subject,
}: InstanceType<typeof errors.PermissionViolationError>): ConnectorError {
  const message = `The user may not ${operation === "publish" ? "publish to" : "subscribe to"} ${subject}.`;
  return new ConnectorError("FORBIDDEN", message, { fault: "destination", path: "config.user" });
}

export function isNoResponders(error: unknown): boolean {
  return (
    (error instanceof Error && error.name === "JetStreamNotEnabled") ||
    error instanceof errors.NoRespondersError ||
    (error instanceof errors.RequestError && error.isNoResponders())
  );
}

/** Of an answer's error that is numbered as HTTP's are. */
export function codeOf(status: number): ErrorCode {
  switch (status) {
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 408:
    case 504:
      return "TIMEOUT";
    case 409:
      return "CONFLICT";
    case 422:
      return "BUSINESS_RULE";
    case 429:
      return "RATE_LIMITED";
    case 502:
    case 503:
      return "UNAVAILABLE";
    default:
      return status >= 500 ? "INTERNAL_ERROR" : "VALIDATION_ERROR";
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
