import { hash } from "node:crypto";
import { type CallOptions, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type {
  Connector,
  ConnectorContext,
  ConnectorType,
  DestinationMode as DestinationModeName,
  Json,
  JsonSchema,
  SourceMode as SourceModeName,
} from "../../connectors/sdk/index.ts";
import {
  ConnectorServiceClient,
  DestinationMode,
  type Instance,
  LifecycleEvent,
  SourceMode,
  type SpecResponse,
} from "../../proto/gen/sluice/connector/v1/connector.ts";
import { callErrorOf, PluginError, recordFailureOf } from "./failure.ts";
import { pluginDestination } from "./plugin-destination.ts";
import { misbehaves, pluginSource } from "./plugin-source.ts";

const messageBytes = 64 * 1024 * 1024;
const protocolVersions = [1];
const specMs = 10_000;

/** A plugin that may come and go: who calls it gets the one that lives now. */
export interface PluginClient {
  /** For messages. */
  readonly name: string;
  /** Rejects with why there is none, where it does not come back in time. */
  client(signal: AbortSignal): Promise<ConnectorServiceClient>;
}

export function connect(address: string): ConnectorServiceClient {
  return new ConnectorServiceClient(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": messageBytes,
    "grpc.max_send_message_length": messageBytes,
  });
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => { cancel(): void };

/** One call with one answer; cancelled when the signal aborts. */
function ask<Request, Response>(
  call: Unary<Request, Response>,
  request: Request,
  plugin: string,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const made = call(request, new Metadata(), {}, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (!error) resolve(response);
      else reject(signal.aborted ? signal.reason : callErrorOf(error, plugin));
    });
    const cancel = () => made.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
  });
}

/** What the plugin says of itself, checked. */
export async function specOf(client: ConnectorServiceClient, plugin: string): Promise<SpecResponse> {
  const signal = AbortSignal.timeout(specMs);
  const spec = await ask(client.spec.bind(client), { protocolVersions }, plugin, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    throw new PluginError("TIMEOUT", `plugin ${plugin} did not say what it is within ${specMs / 1000} s`);
  });
  if (!protocolVersions.includes(spec.protocolVersion)) {
    throw misbehaves(
      plugin,
      `speaks version ${spec.protocolVersion} of the protocol, and this sluice only ${protocolVersions.join(", ")}`,
    );
  }
  if (!/^[a-z][a-z0-9-]*$/.test(spec.type))
    throw misbehaves(plugin, `has the type "${spec.type}", which is no name of a type`);
  if (!/^\d+\.\d+\.\d+/.test(spec.version))
    throw misbehaves(plugin, `has the version "${spec.version}", which is not semantic`);
  if (!spec.source && !spec.destination && !spec.lookup) throw misbehaves(plugin, "is neither source nor destination");
  return spec;
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

/** A plugin as a connector type like any other. */
export function pluginType(spec: SpecResponse, plugin: PluginClient): ConnectorType {
  const { source, destination, lookup, lifecycle } = spec;
  return {
    type: spec.type,
    version: spec.version,
    title: spec.title,
    description: spec.description,
    config: schemaOf(spec.configSchema, "the config", plugin.name),
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
      ...(lookup && { lookup: { request: schemaOf(lookup.requestSchema, "a request", plugin.name) } }),
      ...(lifecycle && { lifecycle }),
    },
    create: (config, context) => pluginConnector(spec, plugin, config as Json, context),
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

function pluginConnector(spec: SpecResponse, plugin: PluginClient, config: Json, context: ConnectorContext): Connector {
  const text = JSON.stringify(config);
  const digest = hash("sha256", text, "hex");
  const instance: Instance = {
    id: context.connectorId ?? digest,
    version: BigInt(`0x${digest.slice(0, 15)}`),
    config: text,
  };
  const { name } = plugin;
  const call = { plugin: name, instance };
  const lifecycle = async (event: LifecycleEvent, previousConfig: string, signal: AbortSignal) => {
    const client = await plugin.client(signal);
    await ask(client.lifecycle.bind(client), { instance, event, previousConfig }, name, signal);
  };
  return {
    check: async (signal) => {
      const client = await plugin.client(signal);
      await ask(client.check.bind(client), { instance }, name, signal);
    },
    discover: async (signal) => {
      const client = await plugin.client(signal);
      const { streams } = await ask(client.discover.bind(client), { instance }, name, signal);
      return streams.map(({ name: stream, schema, key, required, cursorFields }) => ({
        name: stream,
        schema: schemaOf(schema, `stream ${stream}`, name),
        ...(key.length > 0 && { key }),
        ...(required.length > 0 && { required }),
        ...(cursorFields.length > 0 && { cursorFields }),
      }));
    },
    ...(spec.source && {
      openSource: async (options) => {
        const client = await plugin.client(options.signal);
        return await pluginSource(() => client.read(), { ...call, endless: spec.source?.endless === true }, options);
      },
    }),
    ...(spec.destination && {
      openDestination: async (options) => {
        const client = await plugin.client(options.signal);
        return await pluginDestination(() => client.write(), call, options);
      },
    }),
    ...(spec.lookup && {
      lookup: async (requests, signal) => {
        const client = await plugin.client(signal);
        const texts = requests.map((request) => JSON.stringify(request));
        const { answers, failed } = await ask(client.lookup.bind(client), { instance, requests: texts }, name, signal);
        if (answers.length !== requests.length) {
          throw misbehaves(name, `gave ${answers.length} answers to ${requests.length} requests`);
        }
        return {
          answers: answers.map((answer) => JSON.parse(answer) as Json),
          failed: failed.map(({ index, failure }) => recordFailureOf(index, failure)),
        };
      },
    }),
    created: (signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_CREATED, "", signal),
    updated: (previous, signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_UPDATED, JSON.stringify(previous), signal),
    deleted: (signal) => lifecycle(LifecycleEvent.LIFECYCLE_EVENT_DELETED, "", signal),
    close: async () => {},
  };
}
