import { sealedMark } from "../../runtime/config/index.ts";
import { codes, messageOf, NotReadyError, SluiceError } from "../../runtime/errors/index.ts";
import { allConnectors, type ServiceContext } from "./context.ts";
import { sealedText } from "./hook-secrets.ts";
import { ofConnector, ofEvents, ofIntegration, ofPlugin, rewrap, type Sealed } from "./sealed-rows.ts";

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

export function secretsService({ store, sealer, runner }: ServiceContext) {
  let rotating: Promise<Rotation> | undefined;
  const sealedRows = async (): Promise<Sealed[]> => {
    const { plugins, integrations } = store;
    const ofConnectors = (await allConnectors(store)).flatMap((row) => ofConnector(store, row));
    const ofPlugins = (await plugins.all()).flatMap((row) => ofPlugin(store, row));
    const ofHooks = (await integrations.withText(sealedMark)).flatMap((row) => ofIntegration(store, row));
    // Each once, however many versions of an integration hold it.
    const hooks = new Map(ofHooks.map((row) => [`${row.id} ${sealedText(row.sealed)}`, row]));
    return [...ofConnectors, ...ofPlugins, ...hooks.values()];
  };

  async function rotate(): Promise<Rotation> {
    let rows = await sealedRows();
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
      // What was written up to now may be under the key before; what is written later looks after that itself.
      rows = await sealedRows();
    }
    const keyVersion = await sealer.current();
    const failed: Rotation["failed"][number][] = [];
    let rewrapped = 0;
    for (const row of [...rows, ...(await ofEvents(store))]) {
      try {
        if ((await rewrap(row, keyVersion, sealer)) && rows.includes(row)) rewrapped++;
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
      const behind = (await ofEvents(store)).filter((row) => versionOf(row) !== keyVersion);
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
