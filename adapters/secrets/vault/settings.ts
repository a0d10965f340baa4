import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { SluiceError } from "../../../runtime/errors/index.ts";

/** How this node gets a token of Vault's. Files are read at each login: whoever writes them may replace them. */
export type VaultAuth =
  | { readonly method: "token"; readonly token: string }
  | { readonly method: "token file"; readonly file: string }
  | {
      readonly method: "approle";
      readonly mount: string;
      readonly roleId: string;
      readonly secretId: string | undefined;
      readonly secretIdFile: string | undefined;
    }
  | { readonly method: "kubernetes"; readonly mount: string; readonly role: string; readonly tokenFile: string };

/** The SLUICE_VAULT_ variables. */
export interface VaultSettings {
  readonly address: string;
  readonly namespace: string | undefined;
  /** Certificates that sign Vault's own, in PEM. */
  readonly ca: string | undefined;
  readonly auth: VaultAuth;
  /** References reach what is below these, and nothing else. */
  readonly paths: readonly string[];
  /** The key that data keys are wrapped by; undefined: Vault has no part in it. */
  readonly transit: { readonly mount: string; readonly key: string } | undefined;
}

type Environment = { readonly [name: string]: string | undefined };

const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Undefined without SLUICE_VAULT_ADDR. Throws SluiceError VALIDATION_ERROR that names the variable at fault. */
export function readVaultSettings(env: Environment): VaultSettings | undefined {
  const address = env.SLUICE_VAULT_ADDR;
  if (!address) {
    if (env.SLUICE_VAULT_TRANSIT_KEY) throw refused("SLUICE_VAULT_TRANSIT_KEY", "needs SLUICE_VAULT_ADDR");
    return undefined;
  }
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol) || /[@?#]/.test(address)) {
    throw refused("SLUICE_VAULT_ADDR", "is no address such as https://vault.example.com:8200");
  }
  return {
    address: address.replace(/\/+$/, ""),
    namespace: env.SLUICE_VAULT_NAMESPACE || undefined,
    ca: env.SLUICE_VAULT_CACERT ? certificates(env.SLUICE_VAULT_CACERT) : undefined,
    auth: auth(env),
    paths: paths(env.SLUICE_VAULT_PATHS || "secret/sluice"),
    transit: env.SLUICE_VAULT_TRANSIT_KEY ? transit(env.SLUICE_VAULT_TRANSIT_KEY) : undefined,
  };
}

function auth(env: Environment): VaultAuth {
  const mount = (fallback: string) => (env.SLUICE_VAULT_AUTH_MOUNT || fallback).replaceAll(/^\/+|\/+$/g, "");
  if (env.SLUICE_VAULT_ROLE_ID) {
    return {
      method: "approle",
      mount: mount("approle"),
      roleId: env.SLUICE_VAULT_ROLE_ID,
      secretId: env.SLUICE_VAULT_SECRET_ID || undefined,
      secretIdFile: env.SLUICE_VAULT_SECRET_ID_FILE || undefined,
    };
  }
  if (env.SLUICE_VAULT_KUBERNETES_ROLE) {
    const role = env.SLUICE_VAULT_KUBERNETES_ROLE;
    const tokenFile = env.SLUICE_VAULT_KUBERNETES_TOKEN_FILE || serviceAccountToken;
    return { method: "kubernetes", mount: mount("kubernetes"), role, tokenFile };
  }
  if (env.SLUICE_VAULT_TOKEN) return { method: "token", token: env.SLUICE_VAULT_TOKEN };
  // As Vault's own tools do.
  return { method: "token file", file: env.SLUICE_VAULT_TOKEN_FILE || path.join(homedir(), ".vault-token") };
}

function certificates(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw refused("SLUICE_VAULT_CACERT", `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Of a prefix all segments are compared: `secret/sluice` does not stand for `secret/sluice-admin`. */
function paths(text: string): string[] {
  const prefixes = text.split(",").map((prefix) => prefix.trim().replaceAll(/^\/+|\/+$/g, ""));
  if (prefixes.some((prefix) => prefix === "")) {
    throw refused("SLUICE_VAULT_PATHS", "has an empty path: it lists what references may reach, such as secret/sluice");
  }
  return prefixes;
}

/** `sluice`, or `MOUNT/sluice`. */
function transit(text: string): { mount: string; key: string } {
  const [, mount = "transit", key] = /^(?:(.+)\/)?([\w.-]+)$/.exec(text) ?? [];
  if (key === undefined) throw refused("SLUICE_VAULT_TRANSIT_KEY", "is no name of a key, or MOUNT/NAME");
  return { mount, key };
}

function refused(name: string, why: string): SluiceError {
  return new SluiceError("VALIDATION_ERROR", `${name} ${why}`);
}
