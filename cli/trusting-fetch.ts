import { readFileSync } from "node:fs";
import { messageOf } from "../runtime/errors/index.ts";
import { usageError } from "./exit.ts";

/** As much of `fetch` as the command line uses. */
export type Fetch = (
  url: string,
  init: {
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
    readonly signal?: AbortSignal;
  },
) => Promise<Pick<Response, "ok" | "status" | "text">>;

/**
 * `fetch` that trusts the authorities in `SLUICE_CA` besides the usual ones, and shows the certificate of
 * `SLUICE_CLIENT_CERT` and `SLUICE_CLIENT_KEY` (PEM files) to servers that want one. Node's own where none is set.
 */
export function trustingFetch(env: NodeJS.ProcessEnv): Fetch {
  const files = authorities(env);
  if (!files.ca && !files.cert && !files.key) return fetch;
  const made = make(files);
  return async (url, init) => (await made)(url, init);
}

/** What `SLUICE_CA`, `SLUICE_CLIENT_CERT` and `SLUICE_CLIENT_KEY` name. */
export function authorities(env: NodeJS.ProcessEnv): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const { SLUICE_CA: ca, SLUICE_CLIENT_CERT: cert, SLUICE_CLIENT_KEY: key } = env;
  return {
    ...(ca && { ca: pem("SLUICE_CA", ca) }),
    ...(cert && { cert: pem("SLUICE_CLIENT_CERT", cert) }),
    ...(key && { key: pem("SLUICE_CLIENT_KEY", key) }),
  };
}

/** Loaded only where it is needed: commands start quickly. */
async function make({ ca, ...own }: { ca?: Buffer; cert?: Buffer; key?: Buffer }): Promise<Fetch> {
  const [{ Agent, fetch }, { rootCertificates }] = await Promise.all([import("undici"), import("node:tls")]);
  const dispatcher = new Agent({ connect: { ...own, ...(ca && { ca: [...rootCertificates, ca] }) } });
  return (url, init) => fetch(url, { ...init, dispatcher });
}

function pem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw usageError(`${setting} cannot be read: ${messageOf(error)}`);
  }
}
