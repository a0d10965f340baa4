import { hash } from "node:crypto";
import type {
  Capabilities,
  Connector,
  ConnectorContext,
  ConnectorType,
  DestinationMode as DestinationModeName,
  Json,
  JsonSchema,
  SourceMode as SourceModeName,
} from "../../connectors/sdk/index.ts";
import {
  type ConnectorServiceClient,
  DestinationMode,
  type Instance,
  LifecycleEvent,
  SourceMode,
  type SpecResponse,
} from "../../proto/gen/sluice/connector/v1/connector.ts";
import type { TypeDescription } from "../../runtime/ports/plugins.ts";
import { failedOf, jsonOf, misbehaves, recordFailureOf } from "./failure.ts";
import { ask } from "./grpc.ts";
import { pluginDestination } from "./plugin-destination.ts";
import { type PluginLease, pluginSource } from "./plugin-source.ts";

/** A plugin that may come and go: who calls it gets the one that lives now. */
export interface PluginClient {
  /** For messages. */
  readonly name: string;
  /** Waits while it is being started; rejects with why there is none. */
  lease(signal: AbortSignal): Promise<PluginLease>;
}

const sourceModes = new Map<SourceMode, SourceModeName>([
  [SourceMode.SOURCE_MODE_FULL, "full"],
  [SourceMode.SOURCE_MODE_INCREMENTAL, "incremental"],
]);
const destinationModes = new Map<DestinationMode, DestinationModeName>([
  [DestinationMode.DESTINATION_MODE_APPEND, "append"],
  [DestinationMode.DESTINATION_MODE_UPSERT, "upsert"],
  [DestinationMode.DESTINATION_MODE_REPLACE, "replace"],
]);

/** Characters of a stream's name, or of a field's: what is longer is none that anybody could write. */
const nameMost = 1_000;

/** What it says of itself, in the words of a connector type. */
export function describe(spec: SpecResponse, plugin: string): TypeDescription {
  const { source, destination, lookup, lifecycle } = spec;
  return {
    type: spec.type,
    version: spec.version,
    title: spec.title,
    description: spec.description,
    config: schemaOf(spec.configSchema, "the config", plugin),
    capabilities: {
      ...(source && {
        source: {
          modes: source.modes.flatMap((mode) => sourceModes.get(mode) ?? []),
          ...(source.ownCursor && { ownCursor: true }),
          ...(source.endless && { endless: true }),
        },
      }),
      ...(destination && {
        destination: { modes: destination.modes.flatMap((mode) => destinationModes.get(mode) ?? []) },
      }),
      ...(lookup && { lookup: { request: schemaOf(lookup.requestSchema, "a request", plugin) } }),
      ...(lifecycle && { lifecycle }),
    },
  };
}

/** A plugin as a connector type like any other. */
export function pluginType(description: TypeDescription, plugin: PluginClient): ConnectorType {
  const { capabilities } = description;
  return {
    ...description,
    create: (config, context) => pluginConnector(capabilities, plugin, config as Json, context),
  };
}

function schemaOf(text: string, of: string, plugin: string): JsonSchema {
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return schema as JsonSchema;
  } catch {
    // Said below.
  }
  throw misbehaves(plugin, `has a schema of ${of} that is no JSON object`);
}

function pluginConnector(
  { source, destination, lookup }: Capabilities,
  plugin: PluginClient,
  config: Json,
  context: ConnectorContext,
): Connector {
  const text = JSON.stringify(config);
  const digest = hash("sha256", text, "hex");
  const instance: Instance = {
    id: context.connectorId ?? digest,
    version: BigInt(`0x${digest.slice(0, 15)}`),
    config: text,
  };
  const { name } = plugin;
  const call = { plugin: name, instance };
  const use = async <T>(signal: AbortSignal, work: (client: ConnectorServiceClient) => Promise<T>): Promise<T> => {
    const { client, release } = await plugin.lease(signal);
    return await work(client).finally(release);
  };
  const lifecycle = (event: LifecycleEvent, previousConfig: string, signal: AbortSignal) =>
    use(signal, async (client) => {
      await ask(client.lifecycle.bind(client), { instance, event, previousConfig }, name, signal);
    });
  return {
    check: (signal, correlation) =>
      use(signal, async (client) => {
        await ask(client.check.bind(client), { instance }, name, signal, correlation);
      }),
    discover: (signal, correlation) =>
      use(signal, async (client) => {
        const { streams } = await ask(client.discover.bind(client), { instance }, name, signal, correlation);
        return streams.map(({ name: stream, schema, key, required, cursorFields }) => {
          for (const { length } of [stream, ...key, ...required, ...cursorFields]) {
            if (length > nameMost) throw misbehaves(name, `names a stream or a field with ${length} characters`);
          }
          return {
            name: stream,
            schema: schemaOf(schema, `stream ${stream}`, name),
            ...(key.length > 0 && { key }),
            ...(required.length > 0 && { required }),
            ...(cursorFields.length > 0 && { cursorFields }),
          };
        });
      }),
    ...(source && {
      openSource: async (options) => {
        const lease = await plugin.lease(options.signal);
        return await pluginSource(lease, { ...call, endless: source.endless === true }, options);
      },
    }),
    ...(destination && {
      openDestination: (options) => pluginDestination(plugin, call, options),
    }),
    ...(lookup && {
      lookup: (requests, signal, correlation) =>
        use(signal, async (client) => {
          const texts = requests.map((request) => JSON.stringify(request));
          const asked = { instance, requests: texts };
          const { answers, failed } = await ask(client.lookup.bind(client), asked, name, signal, correlation);
          if (answers.length !== requests.length) {
            throw misbehaves(name, `gave ${answers.length} answers to ${requests.length} requests`);
          }
          return {
            answers: answers.map((answer) => jsonOf(answer, "an answer", name)),
            failed: failedOf(failed, requests.length, "request", name).map(({ index, failure }) =>
              recordFailureOf(index, failure),
            ),
          };
        }),
    }),
    created: (signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_CREATED, "", signal),
    updated: (previous, signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_UPDATED, JSON.stringify(previous), signal),
    deleted: (signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_DELETED, "", signal),
    close: async () => {},
  };
}
