import type { Connectors } from "../actors/connectors.ts";
import type { Connector } from "../connectors/sdk/index.ts";
import { type ResolveReference, resolveReferences, typeName } from "../runtime/config/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import type { ConnectorRegistry } from "../runtime/ports/connectors.ts";
import type { ConnectorStore } from "../runtime/ports/store.ts";

/** Connectors by name out of the store, for the actors: each source and destination has a connector of its own. */
export function actorConnectors(
  store: { readonly connectors: Pick<ConnectorStore, "byName"> },
  registry: ConnectorRegistry,
  resolveReference: ResolveReference,
): Connectors {
  const open = async (name: string): Promise<{ connector: Connector; type: string }> => {
    const row = await store.connectors.byName(name);
    if (!row) throw new SluiceError("NOT_FOUND", `there is no connector "${name}"`);
    return { connector: await registry.open(row), type: typeName(row.type) };
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
    async source(name, options) {
      const { connector, type } = await open(name);
      return withConnector(connector, connector.openSource?.(options), `connector type ${type} has no source`);
    },
    async destination(name, options) {
      const { connector, type } = await open(name);
      const refused = `connector type ${type} has no destination`;
      return { destination: await withConnector(connector, connector.openDestination?.(options), refused), type };
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
