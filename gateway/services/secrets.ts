import { sealedMark } from "../../runtime/config/index.ts";
import { codes, messageOf, NotReadyError, SluiceError } from "../../runtime/errors/index.ts";
import { allConnectors, type ServiceContext } from "./context.ts";
import { sealedHookSecrets, sealedText } from "./hook-secrets.ts";

/** Under which keys the secrets of connectors, plugins and inbound webhooks are sealed. */
export interface SecretsStatus {
  readonly provider: string;
  /** The key that seals now. */
  readonly keyVersion: string;
  readonly byKeyVersion: ReadonlyMap<string, number>;
}

export interface Rotation {
  readonly provider: string;
  readonly keyVersion: string;
  /** Whether the key was made for this rotation. */
  readonly newKey: boolean;
  /** Connectors, plugins and secrets of webhooks whose data keys were wrapped anew. */
  readonly rewrapped: number;
  /** Those that were under this key before. */
  readonly unchanged: number;
  /** Those that stay as they are, since their key is not here. */
  readonly failed: readonly { readonly name: string; readonly code: string; readonly message: string }[];
}

/** A row with secrets. */
interface Sealed {
  readonly id: string;
  readonly name: string;
  readonly sealed: Uint8Array;
  reseal(id: string, before: Uint8Array, after: Uint8Array): Promise<boolean>;
  /** As it is by now. */
  again(): Promise<{ readonly sealed: Uint8Array | null } | null>;
}

export function secretsService({ store, sealer, runner }: ServiceContext) {
  let rotating: Promise<Rotation> | undefined;
  const sealedRows = async (): Promise<Sealed[]> => {
    const { connectors, plugins } = store;
    const ofConnectors = (await allConnectors(store)).flatMap(({ id, name, sealed }) =>
      sealed === null ? [] : [{ id, name, sealed, reseal: connectors.reseal, again: () => connectors.get(id) }],
    );
    const ofPlugins = (await plugins.all()).flatMap(({ id, name, sealed }) =>
      sealed === null ? [] : [{ id, name, sealed, reseal: plugins.reseal, again: () => plugins.byName(name) }],
    );
    return [...ofConnectors, ...ofPlugins, ...(await sealedHooks())];
  };

  /** Each once, however many versions of an integration hold it. */
  const sealedHooks = async (): Promise<Sealed[]> => {
    const { integrations } = store;
    const rows = new Map<string, Sealed>();
    for (const { id, name, spec } of await integrations.withText(sealedMark)) {
      for (const sealed of sealedHookSecrets(spec)) {
        rows.set(`${id} ${sealedText(sealed)}`, {
          id,
          name,
          sealed,
          reseal: (_, before, after) => integrations.reseal(id, sealedText(before), sealedText(after)),
          // It was taken out meanwhile, or wrapped anew.
          again: async () => null,
        });
      }
    }
    return [...rows.values()];
  };

  /** What connectors' types have yet to be told, which is gone in seconds where they can be reached. */
  const sealedEvents = async (): Promise<Sealed[]> => {
    const { connectorEvents } = store;
    return (await connectorEvents.sealed()).map(({ id, connectorId, sealed }) => ({
      id: connectorId,
      name: `what connector ${connectorId} is to be told`,
      sealed,
      reseal: (_: string, before: Uint8Array, after: Uint8Array) => connectorEvents.reseal(id, before, after),
      // It was told meanwhile.
      again: async () => null,
    }));
  };

  /** True where it was wrapped anew. Whoever replaced the secrets meanwhile has sealed them under the newest key. */
  async function rewrap(row: Sealed, keyVersion: string): Promise<boolean> {
    let current: { readonly sealed: Uint8Array | null } | null = row;
    while (current?.sealed && sealer.keyVersion(current.sealed) !== keyVersion) {
      const anew = await sealer.rewrap(row.id, current.sealed);
      if (await row.reseal(row.id, current.sealed, anew)) return true;
      current = await row.again();
    }
    return false;
  }

  async function rotate(): Promise<Rotation> {
    const rows = await sealedRows();
    const before = await sealer.current();
    // A rotation that was broken off is finished first: a key is made only where all are under the last one.
    let newKey = false;
    if (sealer.renewKey && rows.length > 0 && rows.every((row) => versionOf(row) === before)) {
      if (runner.nodes() > 1) {
        throw new SluiceError(
          "CONFLICT",
          "the key file of one node cannot be renewed while several nodes run: give all of them SLUICE_MASTER_KEY with the new key and the old one (docs/secrets.md)",
        );
      }
      await sealer.renewKey();
      newKey = true;
    }
    const keyVersion = await sealer.current();
    const failed: Rotation["failed"][number][] = [];
    let rewrapped = 0;
    for (const row of [...rows, ...(await sealedEvents())]) {
      try {
        if ((await rewrap(row, keyVersion)) && rows.includes(row)) rewrapped++;
      } catch (error) {
        // What is away is away for all of them. What is done stays done.
        if (error instanceof NotReadyError || !(error instanceof SluiceError)) throw error;
        failed.push({ name: row.name, code: error.code, message: messageOf(error) });
      }
    }
    const unchanged = rows.filter((row) => !failed.some(({ name }) => name === row.name)).length - rewrapped;
    return { provider: sealer.provider, keyVersion, newKey, rewrapped, unchanged, failed };
  }

  const versionOf = ({ sealed }: Sealed): string => {
    try {
      return sealer.keyVersion(sealed);
    } catch (error) {
      if (error instanceof SluiceError && codes[error.code].http === 500) return "unreadable";
      throw error;
    }
  };

  return {
    async status(): Promise<SecretsStatus> {
      const keyVersion = await sealer.current();
      const behind = (await sealedEvents()).filter((row) => versionOf(row) !== keyVersion);
      const counts = Map.groupBy([...(await sealedRows()), ...behind], versionOf);
      const byKeyVersion = new Map(Array.from(counts, ([version, rows]) => [version, rows.length]));
      return { provider: sealer.provider, keyVersion, byKeyVersion };
    },

    /** Wraps all data keys by the newest key, without reading a secret. May be asked again after it was broken off. */
    rotate(): Promise<Rotation> {
      rotating ??= rotate().finally(() => {
        rotating = undefined;
      });
      return rotating;
    },
  };
}
