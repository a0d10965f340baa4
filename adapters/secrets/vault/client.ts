import type { ApiResponseError, client as NodeVault } from "node-vault";
import { Redactor } from "../../../runtime/config/index.ts";
import type { VaultSettings } from "./settings.ts";

/** What Vault answers with 200 or 204. */
export interface VaultAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: each path has a shape of its own.
  readonly data?: any;
  readonly lease_id?: string;
  readonly lease_duration?: number;
  readonly renewable?: boolean;
  readonly auth?: { readonly client_token: string; readonly lease_duration: number; readonly renewable: boolean };
}

/** Vault answered with an error, or nothing did. Nothing of the request is kept: it may hold secrets. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  /** Undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(status: number | undefined, message: string) {
    super(message);
    this.status = status;
  }
}

export type VaultRequest = (
  method: "GET" | "POST",
  path: string,
  token: string | undefined,
  body?: object,
) => Promise<VaultAnswer>;

const timeoutMs = 10_000;

/** One request of Vault's API, by node-vault. */
export async function vaultClient({ address, namespace, ca }: VaultSettings): Promise<VaultRequest> {
  // Loaded where there is a Vault: it takes its time.
  const { default: nodeVault } = await import("node-vault");
  const options = {
    endpoint: address,
    // It would turn the check of certificates off where VAULT_SKIP_VERIFY is set, and write secrets down for DEBUG.
    rpDefaults: { strictSSL: true },
    debug: () => {},
    requestOptions: { timeout: timeoutMs, ...(ca !== undefined && { ca }) },
  };
  const client = nodeVault(options) as NodeVault & { namespace: string | undefined; pathPrefix: string };
  // The variables of Vault's own tools are for other programs.
  client.pathPrefix = "";
  client.namespace = namespace;
  client.token = "";
  return async (method, path, token, body) => {
    const url = path.split("/").map(encodeURIComponent).join("/");
    const options = { headers: token === undefined ? {} : { "X-Vault-Token": token } };
    try {
      return ((await (method === "GET" ? client.read(url, options) : client.write(url, body ?? {}, options))) ??
        {}) as VaultAnswer;
    } catch (error) {
      const sent = new Redactor();
      sent.addAll([token, body]);
      throw asVaultError(error, sent.redact);
    }
  };
}

/** `redact`: what was sent, before anything is cut: of what is cut in its middle the beginning would stay. */
function asVaultError(error: unknown, redact: (text: string) => string): VaultError {
  const { response, code, message } = error as Partial<ApiResponseError> & { code?: string };
  if (response?.statusCode === undefined) return new VaultError(undefined, redact(code ?? message ?? "no answer"));
  const { errors = [] } = (response.body ?? {}) as { errors?: unknown };
  const said = Array.isArray(errors) ? errors.filter((each) => typeof each === "string").join("; ") : "";
  return new VaultError(response.statusCode, redact(said).replaceAll(/\s+/g, " ").trim().slice(0, 300));
}
