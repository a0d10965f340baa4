import path from "node:path";
import { createSandbox } from "../adapters/isolate/index.ts";
import { createValidator } from "../adapters/json-schema/index.ts";
import { tryPlugin } from "../adapters/plugin/index.ts";
import { connectVault, referenceResolver } from "../adapters/secrets/index.ts";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { createConnectorRegistry } from "../gateway/services/index.ts";
import { findType, Redactor, type ResolvedIntegration, resolveIntegration } from "../runtime/config/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import { expressions } from "../runtime/mapping/index.ts";
import { realClock } from "../runtime/ports/clock.ts";
import type { Sealer } from "../runtime/ports/connectors.ts";
import { noLogger } from "../runtime/ports/logger.ts";
import type { TriedPlugin } from "../runtime/ports/plugins.ts";
import type { ConnectorRow } from "../runtime/ports/store.ts";
import { type Preview, previewRecords, type SourceRecord, sampleSource } from "../runtime/preview/index.ts";
import { actorConnectors } from "./actor-connectors.ts";
import { connectorTypes } from "./connector-types.ts";
import { readNodeSettings } from "./node-settings.ts";
import { serverPlugin } from "./server-plugins.ts";

/** Nothing of a file is sealed. */
const sealer: Pick<Sealer, "unseal"> = { unseal: () => Promise.reject(new Error("nothing is sealed here")) };

/**
 * Previews an integration of a configuration that was found valid, without a server: its connectors are opened here, as
 * a server started in this folder would open them. `records` undefined: the first `sample` of its source.
 */
export async function previewFiles(
  config: JsonObject,
  spec: JsonObject,
  { records, sample }: { readonly records: readonly SourceRecord[] | undefined; readonly sample: number },
): Promise<Preview> {
  const { dataDir, fileRoots, pluginRoots, allowAddresses, kafkaBrokers, env } = readNodeSettings();
  const validator = createValidator();
  const vault = await connectVault({ env, clock: realClock, logger: noLogger, secret: () => {} });
  const secretsDir = path.join(dataDir, "secrets");
  const resolveReference = referenceResolver({ env, secretsDir, vault: vault?.reader });
  const context = { dataDir, fileRoots, closedFolders: pluginRoots, allowAddresses, kafkaBrokers, expressions };
  const rows = new Map(((config.connectors ?? []) as JsonObject[]).map((each) => [each.name as string, rowOf(each)]));
  const integration = resolveIntegration(spec);
  const types = typesUsed(integration, rows);
  const settings = {
    resolveReference,
    roots: pluginRoots,
    builtIn: connectorTypes.map(({ type }) => type),
    logger: noLogger,
    redactor: new Redactor(),
  };
  const plugins = await startPlugins(types, await pluginsFor(types, config), settings);
  const registry = createConnectorRegistry({
    types: connectorTypes,
    pluginTypes: () => plugins.map(({ type }) => type),
    context,
    validator,
    sealer,
    resolveReference,
    redactor: settings.redactor,
  });
  const byName = async (name: string) => {
    const row = rows.get(name);
    if (row !== undefined) return row;
    throw new SluiceError(
      "NOT_FOUND",
      `connector ${name} is not in these files: preview the integration on its server`,
    );
  };
  const sampled = async ({ sources }: ResolvedIntegration) => {
    if (sources.length === 0) throw new SluiceError("VALIDATION_ERROR", "nothing is read here: give --records");
    const each = Math.ceil(sample / sources.length);
    const found: SourceRecord[] = [];
    for (const source of sources) {
      const connector = await registry.open(await byName(source.connector));
      try {
        found.push(...(await sampleSource(connector, source, each, new AbortController().signal)));
      } finally {
        await connector.close();
      }
    }
    return found.slice(0, sample);
  };

  const { lookups } = actorConnectors(
    { connectors: { byName, versions: async () => new Map() } },
    registry,
    resolveReference,
  );
  const sandbox = createSandbox();
  try {
    const given = records ?? (await sampled(integration));
    const name = spec.name as string;
    return await previewRecords(
      { id: name, name, integration, records: given, schema: null },
      { validator, sandbox, clock: realClock, lookups },
      new AbortController().signal,
    );
  } finally {
    await sandbox.close();
    await Promise.all(plugins.map((plugin) => plugin.close()));
  }
}

/** Types of the connectors that an integration is previewed with: what is written to is not opened. */
function typesUsed({ sources, steps }: ResolvedIntegration, rows: ReadonlyMap<string, ConnectorRow>): string[] {
  const users = [...sources, ...steps.filter((step) => step.type === "enrich")];
  return users.flatMap(({ connector }) => rows.get(connector)?.type ?? []);
}

/** Those of the files; where they have none, those of the server that serve what is used. */
async function pluginsFor(types: readonly string[], { plugins }: JsonObject): Promise<readonly JsonObject[]> {
  if (plugins !== undefined) return plugins as JsonObject[];
  const strange = types.filter((type) => !findType(connectorTypes, type));
  const found = (await Promise.all([...new Set(strange)].map(serverPlugin))).filter((each) => each !== undefined);
  return [...new Map(found.map((each) => [each.name, each])).values()];
}

/** Started, where a type that is used is none that sluice comes with. */
async function startPlugins(
  types: readonly string[],
  plugins: readonly JsonObject[],
  settings: Parameters<typeof tryPlugin>[2],
): Promise<TriedPlugin[]> {
  if (types.every((type) => findType(connectorTypes, type))) return [];
  const started = await Promise.allSettled(
    plugins.map(({ name, ...spec }) => tryPlugin(name as string, spec, settings)),
  );
  const failed = started.find((each) => each.status === "rejected");
  const running = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const found = running.map(({ type }) => type);
  // One that is of no use here need not start.
  if (failed === undefined || types.every((type) => findType([...connectorTypes, ...found], type))) return running;
  await Promise.all(running.map((plugin) => plugin.close()));
  throw failed.reason;
}

function rowOf({ name, type, config = {} }: JsonObject): ConnectorRow {
  const now = new Date();
  return {
    id: name as string,
    name: name as string,
    type: type as string,
    config: config as JsonObject,
    sealed: null,
    owner: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
  };
}
