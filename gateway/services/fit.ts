import type { Connector, JsonObject, JsonSchema, StreamInfo } from "../../connectors/sdk/index.ts";
import { type ResolvedIntegration, type ResolvedSource, resolveIntegration } from "../../runtime/config/index.ts";
import type { FieldError } from "../../runtime/errors/index.ts";
import type { SchemaStore, StreamKey } from "../../runtime/ports/store.ts";
import { decodeLines } from "../../runtime/record/index.ts";
import { checkFit, compatibility, type Fit, inferSchema } from "../../runtime/schema/index.ts";
import { within } from "./probe.ts";

/** Both are courtesies: what takes longer is left out, and what cannot be read says so when it runs. */
const discoverTimeoutMs = 10_000;
const sampleTimeoutMs = 3_000;
const sampled = { records: 100, bytes: 1024 * 1024 };

export interface FoundFit extends Fit {
  /** Of the source's records, as discovered or as sampled; null where neither was to be had. */
  readonly schema: JsonSchema | null;
}

/**
 * Compares an integration with its source's and destinations' schemas and with sample records (contract section 7,
 * enable). Connectors that are not given or do not answer leave their part out.
 */
export async function findFit(spec: JsonObject, connectors: ReadonlyMap<string, Connector>): Promise<FoundFit> {
  const integration = resolveIntegration(spec);
  const names = [...integration.sources, ...integration.destinations].map(({ connector }) => connector);
  const streams = new Map<string, readonly StreamInfo[]>();
  await Promise.all(
    [...new Set(names)].map(async (name) => {
      const connector = connectors.get(name);
      if (connector !== undefined) streams.set(name, await discovered(connector));
    }),
  );
  const stream = ({ connector, stream }: { readonly connector: string; readonly stream: string }) =>
    streams.get(connector)?.find(({ name }) => name === stream);

  const [source, second] = integration.sources;
  const only = second === undefined ? source : undefined;
  const samples = only === undefined ? [] : await sampleRecords(connectors.get(only.connector), only);
  const declared = only && stream(only)?.schema;
  const schema = isEmpty(declared) ? inferSchema(samples) : declared;
  const fit = checkFit({
    spec,
    integration,
    source: { schema, samples },
    destinations: destinationStreams(integration, stream),
  });
  return { ...fit, schema };
}

/** Of destinations with columns of their own: what others tell is what was written there before, and binds nobody. */
function destinationStreams(
  { destinations }: ResolvedIntegration,
  stream: (end: { readonly connector: string; readonly stream: string }) => StreamInfo | undefined,
): ReadonlyMap<string, StreamInfo> {
  const known = new Map<string, StreamInfo>();
  for (const destination of destinations) {
    const found = stream(destination);
    if (found?.required !== undefined) known.set(destination.id, found);
  }
  return known;
}

async function discovered(connector: Connector): Promise<readonly StreamInfo[]> {
  return within(discoverTimeoutMs, (signal) => connector.discover(signal)).catch(() => []);
}

function sampleRecords(connector: Connector | undefined, source: ResolvedSource): Promise<readonly JsonObject[]> {
  if (connector?.openSource === undefined) return Promise.resolve([]);
  const open = connector.openSource.bind(connector);
  const read = async (signal: AbortSignal) => {
    const { stream, mode, cursorField } = source;
    const opened = await open({ stream, mode, cursorField, from: null, batch: sampled, signal });
    try {
      for await (const { data, count } of opened.read()) {
        if (count === 0) continue;
        return decodeLines(data, count)
          .values.filter((value) => value !== undefined)
          .slice(0, sampled.records);
      }
      return [];
    } finally {
      await opened.close();
    }
  };
  return within(sampleTimeoutMs, read).catch(() => []);
}

function isEmpty(schema: JsonSchema | undefined): schema is undefined {
  return typeof schema !== "object" || Object.keys(schema).length === 0;
}

/** Says where the records found now are not all valid under the current version of the stream's schema. */
export async function changedSchema(
  schemas: SchemaStore,
  integrationId: string,
  spec: JsonObject,
  schema: JsonSchema | null,
): Promise<FieldError[]> {
  const { contract } = resolveIntegration(spec);
  const stream = streamOf(integrationId, spec);
  const current = stream && (await schemas.current(stream));
  if (!current || schema === null || compatibility(current.schema, schema).forward) return [];
  const message = `its schema is no longer that of version ${current.version}, which the contract ${contract} holds it against`;
  return [{ path: spec.sources === undefined ? "source.stream" : "sources[0].stream", message }];
}

/** Keeps the schema that was found as a stream's first version; later ones come of its records (schema contracts). */
export async function keepFirstSchema(
  schemas: SchemaStore,
  integrationId: string,
  spec: JsonObject,
  schema: JsonSchema | null,
): Promise<void> {
  const stream = streamOf(integrationId, spec);
  if (stream === null || schema === null) return;
  if ((await schemas.current(stream)) === null) await schemas.add(stream, schema);
}

function streamOf(integrationId: string, spec: JsonObject): StreamKey | null {
  const [source] = resolveIntegration(spec).sources;
  return source === undefined ? null : { integrationId, connector: source.connector, stream: source.stream };
}
