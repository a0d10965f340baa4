import { readFileSync } from "node:fs";
import path from "node:path";
import { usageError } from "./exit.ts";

/** The data folder, absolute. */
export function dataDirOf(env: NodeJS.ProcessEnv = process.env): string {
  return path.resolve(env.SLUICE_DATA_DIR || ".sluice");
}

export const defaultHttpPort = 7400;
export const defaultGrpcPort = 7401;

/**
 * Where the server is: `SLUICE_URL`, else the port set, else what the node of the data folder wrote down, else 7400.
 * Throws a usage error where the variable is no address; so does `grpcUrl`.
 */
export function serverUrl(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SLUICE_URL) return checkedUrl("SLUICE_URL", env.SLUICE_URL).replace(/\/+$/, "");
  const port = env.SLUICE_HTTP_PORT;
  // Port 0 is picked by the node, which writes down what it became, and with a certificate under which name.
  const noted = readText(path.join(dataDirOf(env), "url"));
  if (!port || port === "0") return noted ?? `http://127.0.0.1:${defaultHttpPort}`;
  return noted?.endsWith(`:${port}`) ? noted : `http://127.0.0.1:${port}`;
}

/**
 * Where gRPC is: `SLUICE_GRPC_URL`; of a server that `SLUICE_URL` names the same host at `SLUICE_GRPC_PORT` or 7401; else
 * what the node of the data folder wrote down, else 7401.
 */
export function grpcUrl(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SLUICE_GRPC_URL) return checkedUrl("SLUICE_GRPC_URL", env.SLUICE_GRPC_URL);
  const noted = env.SLUICE_URL ? undefined : readText(path.join(dataDirOf(env), "grpc-url"));
  if (noted !== undefined) return noted;
  const url = new URL(serverUrl(env));
  url.port = env.SLUICE_GRPC_PORT || String(defaultGrpcPort);
  return url.origin;
}

/** `SLUICE_TOKEN`, else the token of the data folder; undefined where there is none. */
export function serverToken(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const token = env.SLUICE_TOKEN || readText(path.join(dataDirOf(env), "token"));
  // What no header can hold would be quoted by whoever refuses it.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw usageError(
      `the token in ${env.SLUICE_TOKEN ? "SLUICE_TOKEN" : "the data folder"} has characters that no token has`,
    );
  }
  return token;
}

function checkedUrl(variable: string, text: string): string {
  // "localhost:7400" is an address, too, of the scheme "localhost".
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text;
  throw usageError(`${variable} is "${text}": an address such as http://127.0.0.1:7400`);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
