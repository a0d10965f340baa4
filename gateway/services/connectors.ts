import type { Connector, Json, JsonObject } from "../../connectors/sdk/index.ts";
import {
  checkConnector,
  joinSecrets,
  redacted,
  splitSecrets,
  strandedSecrets,
  typeName,
  unknownType,
} from "../../runtime/config/index.ts";
import { type FieldError, joinPath, SluiceError } from "../../runtime/errors/index.ts";
import type { ConnectorRegistry, Sealer } from "../../runtime/ports/connectors.ts";
import type { ConnectorRow, Page, PageOptions } from "../../runtime/ports/store.ts";
import { sampleSource } from "../../runtime/preview/index.ts";
import { found, type IfMatch, listOrNamed, matched, newId, refuse, type ServiceContext, usersOf } from "./context.ts";
import { failureOf, probeTimeoutMs, sampleRecord, within } from "./probe.ts";
import { streamResource } from "./resources.ts";
import { ofConnector, wrapByNewest } from "./sealed-rows.ts";

/** A connector as given, found valid. */
export interface ConnectorInput {
  readonly name: string;
  readonly type: string;
  readonly config: JsonObject;
}

/** What of a connector goes into the store. */
export type StoredConnector = Pick<ConnectorRow, "id" | "name" | "type" | "config" | "sealed">;

export function connectorService({
  store,
  registry,
  runner,
  validator,
  sealer,
  correlation,
  signal: ends,
}: ServiceContext) {
  const one = async (id: string): Promise<ConnectorRow> => found(await store.connectors.get(id), "connector", id);

  return {
    types: () => registry.types(),

    type(name: string) {
      const type = registry.type(name);
      if (type === undefined) throw new SluiceError("NOT_FOUND", unknownType(registry.types(), name));
      return type;
    },

    get: one,
    list: (options: PageOptions & { name: string | null }): Promise<Page<ConnectorRow>> =>
      listOrNamed(store.connectors, options),

    async create(body: Json): Promise<ConnectorRow> {
      refuse(checkConnector(body, { validator, types: registry.types() }));
      const input = withConfig(body);
      refuse(strayRedactions(input, registry));
      const row = await store.connectors.create({ ...(await seal(newId(), input, registry, sealer)), owner: null });
      await wrapByNewest(ofConnector(store, row), { store, sealer });
      return row;
    },

    /** `***` in the place of a secret keeps the one that is stored, while the connector's address stays as it is. */
    async replace(id: string, body: Json, ifMatch: IfMatch): Promise<ConnectorRow> {
      const row = matched(await one(id), ifMatch);
      const input = await keepSecrets(row, body, registry, sealer);
      refuse(checkConnector(input as Json, { validator, types: registry.types() }));
      const { name, type, config } = withConfig(input as Json);
      if (typeName(type) !== typeName(row.type))
        refuse([{ path: "type", message: `cannot be changed from ${typeName(row.type)}; make a new connector` }]);
      refuse(strayRedactions({ name, type, config }, registry));
      const stored = await seal(id, { name, type, config }, registry, sealer);
      const changed = found(await store.connectors.update(id, stored, row.version), "connector", id);
      await wrapByNewest(ofConnector(store, changed), { store, sealer });
      runner.changed(await usersOf([changed.name], store));
      return changed;
    },

    async remove(id: string, ifMatch: IfMatch): Promise<void> {
      const version = ifMatch === null ? undefined : matched(await one(id), ifMatch).version;
      if (!(await store.connectors.remove(id, version))) found(null, "connector", id);
    },

    /** Whether the far side answers, how fast, and a record of it. A failure is an answer, not an error. */
    async test(id: string): Promise<JsonObject> {
      const row = await one(id);
      const started = performance.now();
      const latency = () => Math.round(performance.now() - started);
      try {
        const connector = await registry.open(row);
        try {
          await within(probeTimeoutMs, (signal) => connector.check(signal, correlation), ends);
          const latency_ms = latency();
          const sample = await within(probeTimeoutMs, (signal) => sampleRecord(connector, signal), ends).catch(
            () => null,
          );
          return { status: "ok", latency_ms, sample_record: sample };
        } finally {
          await connector.close();
        }
      } catch (error) {
        const { code, message, path } = failureOf(error);
        const shown = { code, message, ...(path !== undefined && { path }) };
        return { status: "failed", latency_ms: latency(), sample_record: null, error: shown };
      }
    },

    discover: (id: string): Promise<JsonObject> =>
      opened(id, async (connector, signal) => ({
        streams: (await connector.discover(signal, correlation)).map(streamResource),
      })),

    /** The first records of a stream, the first one unless it is named; what cannot be read is left out. */
    sample: (id: string, { stream, limit }: { readonly stream: string | null; readonly limit: number }) =>
      opened(id, async (connector, signal): Promise<JsonObject> => {
        const name = stream ?? (await connector.discover(signal))[0]?.name;
        if (name === undefined) throw new SluiceError("BUSINESS_RULE", "there is no stream to take a sample of");
        const source = { connector: "", stream: name, mode: "full", cursorField: undefined } as const;
        const records = await sampleSource(connector, source, limit, signal);
        return { stream: name, records: records.flatMap(({ value }) => (value === undefined ? [] : [value])) };
      }),
  };

  /** What the far side refuses is told as such, within a time limit. */
  async function opened(id: string, work: (connector: Connector, signal: AbortSignal) => Promise<JsonObject>) {
    const row = await one(id);
    try {
      const connector = await registry.open(row);
      try {
        return await within(probeTimeoutMs, (signal) => work(connector, signal), ends);
      } finally {
        await connector.close();
      }
    } catch (error) {
      const { code, message, path } = failureOf(error);
      // That the far side refuses sluice is not the caller's lack of rights.
      const answer = code === "UNAVAILABLE" || code === "TIMEOUT" ? code : "BUSINESS_RULE";
      throw new SluiceError(answer, message, path === undefined ? [] : [{ path, message }], error);
    }
  }
}

const withConfig = (body: Json): ConnectorInput =>
  ({ config: {}, ...(body as JsonObject) }) as unknown as ConnectorInput;

/** Splits a config in what may be seen and what is sealed with the connector's id. */
export async function seal(
  id: string,
  { name, type, config }: ConnectorInput,
  registry: ConnectorRegistry,
  sealer: Sealer,
): Promise<StoredConnector> {
  const { open, secrets } = splitSecrets(registry.type(type)!.config, config);
  const sealed = Object.keys(secrets).length === 0 ? null : await sealer.seal(id, secrets);
  return { id, name, type, config: open, sealed };
}

/**
 * The body with `***` replaced by the secrets that stand in those places; any other shape is left for the check.
 * Throws VALIDATION_ERROR for secrets that would go to another address so. `at`: the connector's path.
 */
export async function keepSecrets(
  row: ConnectorRow,
  body: Json,
  registry: ConnectorRegistry,
  sealer: Sealer,
  at = "",
): Promise<Json> {
  const given = (body ?? {}) as { type?: Json };
  const type = registry.type(typeof given.type === "string" ? given.type : row.type);
  const { config } = (body ?? {}) as { config?: JsonObject };
  if (row.sealed === null || type === undefined || typeof config !== "object" || config === null) return body;
  const secrets = await sealer.unseal(row.id, row.sealed);
  const stranded = strandedSecrets(type.config, { open: row.config, secrets }, config);
  refuse(stranded.map(({ path, message }) => ({ path: joinPath(at, `config.${path}`), message })));
  return { ...(body as JsonObject), config: joinSecrets(type.config, config, secrets) };
}

/** `***` where no secret is stored that it could stand for. */
export function strayRedactions({ type, config }: ConnectorInput, registry: ConnectorRegistry): FieldError[] {
  const { secrets } = splitSecrets(registry.type(type)!.config, config);
  return Object.entries(secrets)
    .filter(([, secret]) => secret === redacted)
    .map(([path]) => ({
      path: `config.${path}`,
      message: `${redacted} keeps a stored secret, and there is none here`,
    }));
}
