import path from "node:path";
import { isRole, isTrustworthy, type OidcSettings, type Role, roles } from "../gateway/auth/index.ts";
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

/** Origins whose pages may call; none unless they are named. */
export function corsOrigins(env: NodeJS.ProcessEnv): readonly string[] {
  const origins = parts(env.SLUICE_CORS_ORIGINS, ",");
  for (const origin of origins) {
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
    throw refused(`SLUICE_CORS_ORIGINS: "${origin}" is no origin such as https://console.example.com`);
  }
  return origins;
}

/** Requests a minute, of a caller and of an address without a token that is taken. */
export function requestLimits(env: NodeJS.ProcessEnv): {
  readonly perMinute: number;
  readonly refusedPerMinute: number;
} {
  return {
    perMinute: count(env, "SLUICE_RATE_LIMIT", 6_000),
    refusedPerMinute: count(env, "SLUICE_RATE_LIMIT_ANONYMOUS", 600),
  };
}

function count(env: NodeJS.ProcessEnv, name: string, initial: number): number {
  const text = env[name];
  if (!text) return initial;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw refused(`${name} is "${text}": requests a minute, 0 for as many as anybody likes`);
}

/** Undefined: API keys alone. */
export function oidcSettings(env: NodeJS.ProcessEnv): OidcSettings | undefined {
  const { SLUICE_OIDC_ISSUER: issuer } = env;
  if (!issuer) return undefined;
  if (!isTrustworthy(issuer)) throw refused(`SLUICE_OIDC_ISSUER is "${issuer}": it is the https address of the issuer`);
  const audiences = parts(env.SLUICE_OIDC_AUDIENCE, ",");
  if (audiences.length === 0) {
    throw refused("SLUICE_OIDC_AUDIENCE is needed with SLUICE_OIDC_ISSUER: the audience of tokens that are for sluice");
  }
  return {
    issuer,
    audiences,
    roleClaim: env.SLUICE_OIDC_ROLE_CLAIM || "roles",
    roles: new Map(parts(env.SLUICE_OIDC_ROLES, ";").map(groupRole)),
    scopeClaim: env.SLUICE_OIDC_SCOPE_CLAIM || undefined,
    ownerClaim: env.SLUICE_OIDC_OWNER_CLAIM || undefined,
  };
}

/** `GROUP=ROLE`; a group may be a distinguished name, which has commas and equals signs in it. */
function groupRole(text: string): [string, Role] {
  const at = text.lastIndexOf("=");
  const [group, role] = [text.slice(0, Math.max(at, 0)).trim(), text.slice(at + 1).trim()];
  if (group !== "" && isRole(role)) return [group, role];
  const known = Object.keys(roles).join(", ");
  throw refused(`SLUICE_OIDC_ROLES: "${text}" is not GROUP=ROLE, with one of the roles ${known}`);
}

function parts(text: string | undefined, separator: string): string[] {
  const all = (text ?? "").split(separator).map((part) => part.trim());
  return all.filter((part) => part !== "");
}

const refused = (message: string) => new SluiceError("VALIDATION_ERROR", message);
