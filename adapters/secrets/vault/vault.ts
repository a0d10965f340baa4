import type { Clock } from "../../../runtime/ports/clock.ts";
import type { Logger } from "../../../runtime/ports/logger.ts";
import type { KeyProvider } from "../key-provider.ts";
import { vaultClient } from "./client.ts";
import { VaultReader } from "./reader.ts";
import { VaultSession } from "./session.ts";
import { readVaultSettings } from "./settings.ts";
import { transitKey } from "./transit.ts";

export interface Vault {
  /** What references stand for. */
  readonly reader: VaultReader;
  /** Where SLUICE_VAULT_TRANSIT_KEY names one. */
  readonly key: KeyProvider | undefined;
  close(): void;
}

/** The Vault that the SLUICE_VAULT_ variables name, or undefined. Does not connect: that is done when it is asked. */
export async function connectVault(options: {
  readonly env: { readonly [name: string]: string | undefined };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each token. */
  readonly secret: (token: string) => void;
}): Promise<Vault | undefined> {
  const { env, ...others } = options;
  const settings = readVaultSettings(env);
  if (!settings) return undefined;
  const session = new VaultSession({ settings, request: await vaultClient(settings), ...others });
  return {
    reader: new VaultReader({ settings, session, clock: options.clock }),
    key: settings.transit && transitKey(settings.transit, session),
    close: () => session.close(),
  };
}
