import path from "node:path";
import type { TlsSettings } from "../gateway/tls/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";

const versions = ["TLSv1.2", "TLSv1.3"] as const;

/** Undefined: plain HTTP and gRPC. Files are found from the working directory. */
export function tlsSettings(env: NodeJS.ProcessEnv, cwd: string): TlsSettings | undefined {
  const { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key, SLUICE_TLS_CLIENT_CA: clientCa } = env;
  const minVersion = versions.find((each) => each === (env.SLUICE_TLS_MIN_VERSION || "TLSv1.2"));
  if (minVersion === undefined) {
    throw refused(`SLUICE_TLS_MIN_VERSION is "${env.SLUICE_TLS_MIN_VERSION}": it is ${versions.join(" or ")}`);
  }
  if (!cert && !key && !clientCa) return undefined;
  if (!cert || !key) throw refused("SLUICE_TLS_CERT and SLUICE_TLS_KEY go together: a certificate and its key, in PEM");
  return {
    certFile: path.resolve(cwd, cert),
    keyFile: path.resolve(cwd, key),
    clientCaFile: clientCa ? path.resolve(cwd, clientCa) : undefined,
    minVersion,
  };
}

/** The address that is listened on: this machine's own unless it is set. */
export function hostOf(env: NodeJS.ProcessEnv): string {
  return env.SLUICE_HOST || "127.0.0.1";
}

const refused = (message: string) => new SluiceError("VALIDATION_ERROR", message);
