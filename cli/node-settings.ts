import path from "node:path";
import { SluiceError } from "../runtime/errors/index.ts";
import { dataDirOf, defaultHttpPort } from "./settings.ts";

/** The environment of contract section 11, read once. */
export interface NodeSettings {
  readonly dataDir: string;
  readonly httpPort: number;
  readonly natsPort: number;
  readonly postgresPort: number;
  /** Undefined: an embedded server. */
  readonly natsUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  /** Copies of each log. Undefined: three in a cluster of nats-servers, else one. */
  readonly natsReplicas: number | undefined;
  /** Absolute. */
  readonly fileRoots: readonly string[];
  readonly logLevel: string;
  readonly env: NodeJS.ProcessEnv;
}

export function readNodeSettings(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): NodeSettings {
  const dataDir = dataDirOf(env);
  const roots = env.SLUICE_FILE_ROOTS ? env.SLUICE_FILE_ROOTS.split(path.delimiter) : [cwd, dataDir];
  return {
    dataDir,
    httpPort: port(env, "SLUICE_HTTP_PORT", defaultHttpPort),
    natsPort: port(env, "SLUICE_NATS_PORT", 7422),
    postgresPort: port(env, "SLUICE_POSTGRES_PORT", 7432),
    natsUrl: env.SLUICE_NATS_URL || undefined,
    databaseUrl: env.SLUICE_DATABASE_URL || undefined,
    natsReplicas: replicas(env.SLUICE_NATS_REPLICAS),
    fileRoots: roots.filter((root) => root !== "").map((root) => path.resolve(cwd, root)),
    logLevel: env.SLUICE_LOG_LEVEL || "info",
    env,
  };
}

/** What nats-server takes. */
function replicas(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^[1-5]$/.test(text)) {
    throw new SluiceError("VALIDATION_ERROR", `SLUICE_NATS_REPLICAS is "${text}": copies of each log, from 1 to 5`);
  }
  return Number(text);
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
