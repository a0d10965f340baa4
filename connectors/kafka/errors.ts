import { ConnectorError, type ErrorCode, type Fault } from "../sdk/index.ts";

/** What kafkajs throws, as far as it is told apart. */
interface KafkaJsError {
  readonly name: string;
  readonly message: string;
  readonly type?: string;
  readonly code?: string | number;
  readonly cause?: unknown;
}

/** Protocol errors, by whose fault they are. All others pass by being tried again. */
const meanings: { readonly [name: string]: readonly [ErrorCode, Fault, path?: string] } = {
  SASL_AUTHENTICATION_FAILED: ["UNAUTHORIZED", "destination", "config.sasl"],
  UNSUPPORTED_SASL_MECHANISM: ["UNAUTHORIZED", "destination", "config.sasl.mechanism"],
  ILLEGAL_SASL_STATE: ["UNAUTHORIZED", "destination", "config.sasl"],
  TOPIC_AUTHORIZATION_FAILED: ["FORBIDDEN", "destination"],
  CLUSTER_AUTHORIZATION_FAILED: ["FORBIDDEN", "destination"],
  GROUP_AUTHORIZATION_FAILED: ["FORBIDDEN", "destination", "config.group"],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ["FORBIDDEN", "destination"],
  INVALID_GROUP_ID: ["VALIDATION_ERROR", "destination", "config.group"],
  INCONSISTENT_GROUP_PROTOCOL: ["CONFLICT", "destination", "config.group"],
  INVALID_SESSION_TIMEOUT: ["VALIDATION_ERROR", "destination", "config.session_timeout"],
  UNKNOWN_TOPIC_OR_PARTITION: ["NOT_FOUND", "destination"],
  INVALID_TOPIC_EXCEPTION: ["NOT_FOUND", "destination"],
  UNSUPPORTED_VERSION: ["INTERNAL_ERROR", "destination", "config.brokers"],
  UNSUPPORTED_COMPRESSION_TYPE: ["VALIDATION_ERROR", "destination", "config.compression"],
  INVALID_REQUIRED_ACKS: ["INTERNAL_ERROR", "destination"],
  POLICY_VIOLATION: ["FORBIDDEN", "destination"],
  MESSAGE_TOO_LARGE: ["VALIDATION_ERROR", "record"],
  RECORD_LIST_TOO_LARGE: ["VALIDATION_ERROR", "record"],
  INVALID_TIMESTAMP: ["VALIDATION_ERROR", "record"],
  INVALID_RECORD: ["VALIDATION_ERROR", "record"],
  REQUEST_TIMED_OUT: ["TIMEOUT", "transient"],
  THROTTLING_QUOTA_EXCEEDED: ["RATE_LIMITED", "transient"],
};

/** Protocol errors of a partition that pass once the leader is known. */
const passing: ReadonlySet<string> = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "REPLICA_NOT_AVAILABLE",
  "KAFKA_STORAGE_ERROR",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
]);

export function isPassing(name: string | undefined): boolean {
  return name !== undefined && passing.has(name);
}

/** An error that the protocol names. `path`: the setting at fault where the name says nothing of it. */
export function protocolError(name: string, what: string, path?: string): ConnectorError {
  const [code, fault, own] = meanings[name] ?? ["UNAVAILABLE", "transient"];
  const setting = own ?? (fault === "destination" ? path : undefined);
  return new ConnectorError(code, `${what}: ${name}.`, { fault, ...(setting === undefined ? {} : { path: setting }) });
}

/** What went wrong with a broker: while connecting nothing had been sent. */
export function brokerError(error: unknown, address: string, stage: "connecting" | "sent"): ConnectorError {
  if (error instanceof ConnectorError) return error;
  const { name, type, code, message } = rootOf(error);
  const where = `Kafka at ${address}`;
  const text = line(message);
  if (name === "KafkaJSSASLAuthenticationError" || type?.includes("SASL")) {
    const path = /mechanism is not supported|unsupported/i.test(text) ? "config.sasl.mechanism" : "config.sasl";
    return new ConnectorError("UNAUTHORIZED", `${where} refuses the credentials: ${text}.`, {
      fault: "destination",
      path,
      cause: error,
    });
  }
  if (type !== undefined) return named(protocolError(type, where), error);
  if (name === "KafkaJSRequestTimeoutError") {
    return new ConnectorError("TIMEOUT", `${where} did not answer in time.`, { fault: "transient", cause: error });
  }
  if (isTls(String(code ?? ""), text)) {
    const isRefused = /alert|CERTIFICATE_REQUIRED/i.test(`${code} ${text}`);
    const options = { fault: "destination", path: "config.tls", cause: error } as const;
    const reason = text.replace(/^Connection error: /, "");
    if (isRefused) return new ConnectorError("UNAUTHORIZED", `${where} refuses the certificate: ${reason}.`, options);
    return new ConnectorError("UNAVAILABLE", `${where} cannot be trusted: ${reason}.`, options);
  }
  const fault = stage === "connecting" ? "destination" : "transient";
  const reason = stage === "connecting" ? "cannot be reached" : "broke the connection";
  const path = { ...(stage === "connecting" ? { path: "config.brokers" } : {}) };
  return new ConnectorError("UNAVAILABLE", `${where} ${reason}: ${text}.`, { fault, ...path, cause: error });
}

/** The name that the protocol has for an error, through what it was wrapped in. */
export function nameOf(error: unknown): string | undefined {
  return rootOf(error instanceof ConnectorError ? error.cause : error).type;
}

function named(made: ConnectorError, cause: unknown): ConnectorError {
  const { code, message, fault, path } = made;
  return new ConnectorError(code, message, { fault, ...(path === undefined ? {} : { path }), cause });
}

function isTls(code: string, text: string): boolean {
  return (
    /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code) ||
    /certificate|altname/i.test(text)
  );
}

function rootOf(error: unknown): KafkaJsError {
  let found = error as KafkaJsError | undefined;
  while (found?.cause instanceof Error && found.type === undefined) found = found.cause as KafkaJsError;
  return found ?? { name: "Error", message: String(error) };
}

function line(text: string): string {
  return text
    .replace(/\s*[\r\n]+\s*/g, " ")
    .trim()
    .replace(/[.]$/, "");
}
