import { setTimeout as delay } from "node:timers/promises";
import type { Sealer } from "../../runtime/ports/connectors.ts";
import type { PluginRow } from "../../runtime/ports/plugins.ts";
import type { ConnectorRow, IntegrationRow, Store } from "../../runtime/ports/store.ts";
import { sealedHookSecrets, sealedText } from "./hook-secrets.ts";

/** Secrets of a row, under one key. */
export interface Sealed {
  readonly id: string;
  readonly name: string;
  readonly sealed: Uint8Array;
  /** False where they are others by now. */
  reseal(id: string, before: Uint8Array, after: Uint8Array): Promise<boolean>;
  /** As they are by now. */
  again(): Promise<{ readonly sealed: Uint8Array | null } | null>;
}

export function ofConnector({ connectors }: Store, { id, name, sealed }: Pick<ConnectorRow, "id" | "name" | "sealed">) {
  const row = { id, name, reseal: connectors.reseal, again: () => connectors.get(id) };
  return sealed === null ? [] : [{ ...row, sealed }];
}

export function ofPlugin({ plugins }: Store, { id, name, sealed }: Pick<PluginRow, "id" | "name" | "sealed">) {
  const row = { id, name, reseal: plugins.reseal, again: () => plugins.byName(name) };
  return sealed === null ? [] : [{ ...row, sealed }];
}

export function ofIntegration(
  { integrations }: Store,
  { id, name, spec }: Pick<IntegrationRow, "id" | "name" | "spec">,
): Sealed[] {
  return sealedHookSecrets(spec).map((sealed) => ({
    id,
    name,
    sealed,
    reseal: (_, before, after) => integrations.reseal(id, sealedText(before), sealedText(after)),
    // It was taken out meanwhile, or wrapped anew.
    again: async () => null,
  }));
}

/** What connectors' types have yet to be told, which is gone in seconds where they can be reached. */
export async function ofEvents({ connectorEvents }: Store): Promise<Sealed[]> {
  return (await connectorEvents.sealed()).map(({ id, connectorId, sealed }) => ({
    id: connectorId,
    name: `what connector ${connectorId} is to be told`,
    sealed,
    reseal: (_, before, after) => connectorEvents.reseal(id, before, after),
    // It was told meanwhile.
    again: async () => null,
  }));
}

/** True where they were wrapped anew. */
export async function rewrap(row: Sealed, keyVersion: string, sealer: Sealer): Promise<boolean> {
  let current: { readonly sealed: Uint8Array | null } | null = row;
  while (current?.sealed && sealer.keyVersion(current.sealed) !== keyVersion) {
    const anew = await sealer.rewrap(row.id, current.sealed);
    if (await row.reseal(row.id, current.sealed, anew)) return true;
    current = await row.again();
  }
  return false;
}

/**
 * To be called with what was written: a rotation that looked before it was there has passed over what was sealed, or kept,
 * under the key before, also over what the connector's type is to be told of how it was. What fails again and again is left
 * for the next rotation, as the status of the secrets says.
 */
export async function wrapByNewest(
  rows: readonly Sealed[],
  { store, sealer }: { readonly store: Store; readonly sealer: Sealer },
): Promise<void> {
  if (rows.length === 0) return;
  for (let tries = 1; tries <= 3; tries++) {
    try {
      const keyVersion = await sealer.current();
      for (const row of [...rows, ...(await ofEvents(store))]) await rewrap(row, keyVersion, sealer);
      return;
    } catch {
      // The change itself is made. Others that change the same may have been in the way.
      await delay(tries * 50);
    }
  }
}
