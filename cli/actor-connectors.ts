import type { Connectors } from "../actors/connectors.ts";
import type { Connector } from "../connectors/sdk/index.ts";
import { type ResolvedReference, type ResolveReference, resolveReferences, typeName } from "../runtime/config/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import type { ConnectorRegistry } from "../runtime/ports/connectors.ts";
import type { ConnectorStore } from "../runtime/ports/store.ts";
import { RenewedDestination } from "./renewed-destination.ts";

/** Notices that references stand for something else by now. */
export interface Watch {
  opened(connector: string, references: readonly ResolvedReference[]): () => void;
  generation(connector: string): number;
  look(): Promise<void>;
}

/** Connectors by name out of the store, for the actors: each source and destination has a connector of its own. */
export function actorConnectors(
  store: { readonly connectors: Pick<ConnectorStore, "byName" | "versions"> },
  registry: ConnectorRegistry,
  resolveReference: ResolveReference,
  watch?: Watch,
): Connectors {
  /** As they were seen last. */
  let latest: ReadonlyMap<string, string> = new Map();
  const madeOf = (name: string, version: number) => `${version}.${watch?.generation(name) ?? 0}`;
  const open = async (name: string): Promise<{ connector: Connector; type: string; madeOf: string }> => {
    const row = await store.connectors.byName(name);
    if (!row) throw new SluiceError("NOT_FOUND", `there is no connector "${name}"`);
    // Before it is resolved: what changes from here on is seen.
    const made = madeOf(name, row.version);
    const references: ResolvedReference[] = [];
    const connector = await registry.open(row, (reference) => void references.push(reference));
    const closed = watch?.opened(name, references);
    const close = connector.close.bind(connector);
    connector.close = async () => {
      closed?.();
      await close();
    };
    return { connector, type: typeName(row.type), madeOf: made };
  };
  /** What is opened closes its connector with it, and a connector does not outlive a failure to open. */
  const withConnector = async <T extends { close(): Promise<void> }>(
    connector: Connector,
    opened: Promise<T> | undefined,
    refused: string,
  ) => {
    try {
      if (!opened) throw new SluiceError("VALIDATION_ERROR", refused);
      const value = await opened;
      const close = value.close.bind(value);
      value.close = async () => {
        await close();
        await connector.close();
      };
      return value;
    } catch (error) {
      await connector.close();
      throw error;
    }
  };
  return {
    async versions() {
      // Not waited for: what it finds is there the next time.
      void watch?.look();
      const rows = await store.connectors.versions();
      latest = new Map(Array.from(rows, ([name, version]) => [name, madeOf(name, version)]));
      return latest;
    },

    async source(name, options) {
      const { connector, type } = await open(name);
      return withConnector(connector, connector.openSource?.(options), `connector type ${type} has no source`);
    },
    async destination(name, options) {
      let type = "";
      const destination = await RenewedDestination.open({
        state: options.state,
        latest: () => latest.get(name),
        async open(state) {
          const opened = await open(name);
          type = opened.type;
          const { connector, madeOf } = opened;
          const refused = `connector type ${type} has no destination`;
          const opening = connector.openDestination?.({ ...options, state });
          return { destination: await withConnector(connector, opening, refused), madeOf };
        },
      });
      return { destination, type };
    },
    lookups: {
      async open(name) {
        const { connector, type } = await open(name);
        const lookup = connector.lookup?.bind(connector);
        const escaped = registry.type(type)?.capabilities.lookup?.escaped ?? [];
        if (lookup) return { connectorType: type, escaped, lookup, close: () => connector.close() };
        await connector.close();
        throw new SluiceError("VALIDATION_ERROR", `connector type ${type} cannot look anything up`);
      },
      resolve: async (text) => (await resolveReferences(text, resolveReference)) as string,
    },
  };
}
