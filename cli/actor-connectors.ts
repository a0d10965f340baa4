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
  return connectorsOf(null, { store, registry, resolveReference, watch, seen: { latest: new Map() } });
}

interface Parts {
  readonly store: { readonly connectors: Pick<ConnectorStore, "byName" | "versions"> };
  readonly registry: ConnectorRegistry;
  readonly resolveReference: ResolveReference;
  readonly watch: Watch | undefined;
  /** What connectors were made of when they were seen last. */
  readonly seen: { latest: ReadonlyMap<string, string> };
}

/** Of a team, or of all. */
function connectorsOf(owner: string | null, parts: Parts): Connectors {
  const { store, registry, resolveReference, watch, seen } = parts;
  const madeOf = (name: string, version: number) => `${version}.${watch?.generation(name) ?? 0}`;
  const open = async (name: string): Promise<{ connector: Connector; type: string; madeOf: string }> => {
    const row = await store.connectors.byName(name);
    // A team's integration may name what was its own once, and is another's by now.
    if (!row || (owner !== null && row.owner !== owner)) {
      throw new SluiceError("NOT_FOUND", `there is no connector "${name}"`);
    }
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
  const of = (other: string | null) => connectorsOf(other, parts);
  return {
    of,

    async versions() {
      // Not waited for: what it finds is there the next time.
      void watch?.look();
      const rows = await store.connectors.versions();
      seen.latest = new Map(Array.from(rows, ([name, version]) => [name, madeOf(name, version)]));
      return seen.latest;
    },

    async plugin(name) {
      const row = await store.connectors.byName(name);
      return row === null ? undefined : registry.type(row.type)?.plugin;
    },

    async source(name, options) {
      const { connector, type } = await open(name);
      return withConnector(connector, connector.openSource?.(options), `connector type ${type} has no source`);
    },
    async destination(name, options) {
      let provider: string | undefined;
      let type = "";
      const destination = await RenewedDestination.open({
        state: options.state,
        latest: () => seen.latest.get(name),
        async open(state) {
          const opened = await open(name);
          type = opened.type;
          const { connector, madeOf } = opened;
          provider = connector.provider;
          const refused = `connector type ${type} has no destination`;
          const opening = connector.openDestination?.({ ...options, state });
          return { destination: await withConnector(connector, opening, refused), madeOf };
        },
      });
      return {
        destination,
        type,
        get provider() {
          return provider;
        },
      };
    },
    lookups: {
      of: (other) => of(other).lookups,
      async open(name) {
        const { connector, type } = await open(name);
        const lookup = connector.lookup?.bind(connector);
        const { escaped = [], timesRequests } = registry.type(type)?.capabilities.lookup ?? {};
        const { provider } = connector;
        if (!lookup) {
          await connector.close();
          throw new SluiceError("VALIDATION_ERROR", `connector type ${type} cannot look anything up`);
        }
        const closed: (() => void)[] = [];
        const resolve = async (text: string) => {
          const references: ResolvedReference[] = [];
          const resolved = await resolveReferences(text, async (scheme, argument) => {
            const value = await resolveReference(scheme, argument);
            references.push({ scheme, argument, value });
            return value;
          });
          if (watch) closed.push(watch.opened(name, references));
          return resolved as string;
        };
        const close = async () => {
          for (const end of closed) end();
          await connector.close();
        };
        return { connectorType: type, provider, escaped, timesRequests, resolve, lookup, close };
      },
    },
  };
}
