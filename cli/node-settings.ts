import { isIP } from "node:net";
import path from "node:path";
import type { OidcSettings } from "../gateway/auth/index.ts";
import type { TlsSettings } from "../gateway/tls/index.ts";
import { parseDuration } from "../runtime/config/duration.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import { corsOrigins, hostOf, oidcSettings, requestLimits, tlsSettings } from "./gateway-settings.ts";
import { dataDirOf, defaultGrpcPort, defaultHttpPort } from "./settings.ts";

/** The environment of contract section 11, read once. */
export interface NodeSettings {
  readonly dataDir: string;
  /** Address or name that REST and gRPC listen on. */
  readonly host: string;
  /** Of REST and gRPC; undefined: plain. */
  readonly tls: TlsSettings | undefined;
  /** Whose tokens are taken besides API keys; undefined: nobody's. */
  readonly oidc: OidcSettings | undefined;
  /** Whose pages may call from browsers. */
  readonly corsOrigins: readonly string[];
  readonly requestLimits: ReturnType<typeof requestLimits>;
  readonly httpPort: number;
  /** Undefined: 7401, or a free one where that is taken. */
  readonly grpcPort: number | undefined;
  readonly natsPort: number;
  readonly postgresPort: number;
  /** Undefined: an embedded server. */
  readonly natsUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  /** Copies of each log. Undefined: three in a cluster of nats-servers, else one. */
  readonly natsReplicas: number | undefined;
  /** Absolute. */
  readonly fileRoots: readonly string[];
  /** Folders whose programs plugins may be. Absolute. */
  readonly pluginRoots: readonly string[];
  /** CIDRs that outgoing HTTP may reach besides public addresses. */
  readonly allowAddresses: readonly string[];
  /** Of Kafka connectors that name none. */
  readonly kafkaBrokers: readonly string[];
  /** How often references that are in use are looked up again. */
  readonly secretsRefreshMs: number;
  /** Where a trace is shown, with `{trace_id}` in the place of its id; undefined: nowhere. */
  readonly traceUrl: string | undefined;
  /** Days that runs, dead letters and the audit log are kept; the last unless set for ever, Infinity. */
  readonly retentionDays: number;
  readonly deadLetterDays: number;
  readonly auditDays: number;
  readonly logLevel: string;
  /** Of what is read all the time. For tests: not documented, and an hour where it is left out. */
  readonly eventRunMs: number | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export function readNodeSettings(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): NodeSettings {
  const dataDir = dataDirOf(env);
  const folders = (given: string | undefined, initial: readonly string[]) => {
    const all = given ? given.split(path.delimiter) : initial;
    return all.filter((folder) => folder !== "").map((folder) => path.resolve(cwd, folder));
  };
  return {
    dataDir,
    host: hostOf(env),
    tls: tlsSettings(env, cwd),
    oidc: oidcSettings(env),
    corsOrigins: corsOrigins(env),
    requestLimits: requestLimits(env),
    httpPort: port(env, "SLUICE_HTTP_PORT", defaultHttpPort),
    grpcPort: env.SLUICE_GRPC_PORT ? port(env, "SLUICE_GRPC_PORT", defaultGrpcPort) : undefined,
    natsPort: port(env, "SLUICE_NATS_PORT", 7422),
    postgresPort: port(env, "SLUICE_POSTGRES_PORT", 7432),
    natsUrl: env.SLUICE_NATS_URL || undefined,
    databaseUrl: env.SLUICE_DATABASE_URL || undefined,
    natsReplicas: replicas(env.SLUICE_NATS_REPLICAS),
    fileRoots: folders(env.SLUICE_FILE_ROOTS, [cwd, dataDir]),
    // Safe by default: nobody puts a program there but with a shell on this machine (decision 0020).
    pluginRoots: folders(env.SLUICE_PLUGIN_ROOTS, [path.join(dataDir, "plugins")]),
    allowAddresses: cidrs(env.SLUICE_ALLOW_ADDRESSES ?? ""),
    kafkaBrokers: list(env.SLUICE_KAFKA_BROKERS ?? ""),
    secretsRefreshMs: durationMs(env, "SLUICE_SECRETS_REFRESH", 30_000),
    traceUrl: traceUrl(env.SLUICE_TRACE_URL),
    retentionDays: days(env, "SLUICE_RETENTION_RUNS", 90),
    deadLetterDays: days(env, "SLUICE_RETENTION_DEAD_LETTERS", 90),
    auditDays: days(env, "SLUICE_RETENTION_AUDIT", Number.POSITIVE_INFINITY),
    logLevel: env.SLUICE_LOG_LEVEL || "info",
    eventRunMs: Number(env.SLUICE_TEST_EVENT_RUN_MS) || undefined,
    env,
  };
}

/** A plain address stands for itself alone. */
function cidrs(text: string): string[] {
  const all = list(text);
  for (const each of all) {
    const [address = "", bits = "0", ...rest] = each.split("/");
    const width = isIP(address) === 6 ? 128 : 32;
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > width || rest.length > 0) {
      const what = "is no address and no CIDR such as 10.0.0.0/8";
      throw new SluiceError("VALIDATION_ERROR", `SLUICE_ALLOW_ADDRESSES: "${each}" ${what}`);
    }
  }
  return all;
}

function list(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}

function traceUrl(text: string | undefined): string | undefined {
  if (!text) return undefined;
  const isUrl = /^https?:/.test(text) && URL.canParse(text.replaceAll("{trace_id}", "0"));
  if (isUrl && text.includes("{trace_id}")) return text;
  const example = "http://localhost:16686/trace/{trace_id}";
  throw new SluiceError(
    "VALIDATION_ERROR",
    `SLUICE_TRACE_URL is "${text}": an address with {trace_id}, such as ${example}`,
  );
}

/** What nats-server takes. */
function replicas(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^[1-5]$/.test(text)) {
    throw new SluiceError("VALIDATION_ERROR", `SLUICE_NATS_REPLICAS is "${text}": copies of each log, from 1 to 5`);
  }
  return Number(text);
}

function durationMs(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1000) return ms;
  throw new SluiceError("VALIDATION_ERROR", `${name} is "${text}": a duration such as 30s or 5m, of a second at least`);
}

/** How long history is kept. */
function days(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 7 * 86_400_000) return Math.ceil(ms / 86_400_000);
  throw new SluiceError("VALIDATION_ERROR", `${name} is "${text}": a duration such as 90d, of seven days at least`);
}

/** 0 picks a free one. */
function port(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) {
    throw new SluiceError("VALIDATION_ERROR", `${name} is "${text}": a port is a number from 0 to 65535`);
  }
  return value;
}
