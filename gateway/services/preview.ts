import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import {
  checkIntegration,
  type Part,
  type ResolvedIntegration,
  resolveIntegration,
} from "../../runtime/config/index.ts";
import { joinPath, SluiceError } from "../../runtime/errors/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { DeadLetterDetail, Store } from "../../runtime/ports/store.ts";
import { type Preview, previewRecords, type SourceRecord, sampleSource } from "../../runtime/preview/index.ts";
import { describeType, isObject, parseJson } from "../../runtime/record/index.ts";
import { allConnectors, found, refuse, type ServiceContext, typesOf } from "./context.ts";
import { failureOf, probeTimeoutMs, within } from "./probe.ts";

/** How long the steps may take, look-ups among them. */
const previewTimeoutMs = 10_000;

/** Body of a preview: left out, ten records are read from the source. */
export const previewBody: Part = {
  type: "object",
  additionalProperties: false,
  properties: {
    records: { type: "array", maxItems: 1_000, description: "Records to take through the steps; none is read then." },
    sample: {
      type: "integer",
      minimum: 1,
      maximum: 1_000,
      default: 10,
      description: "How many records to read from the source's start; its cursor is not touched.",
    },
    spec: {
      type: "object",
      description:
        "Fields of the integration to try in place of the saved ones: mapping_spec, pipeline_spec, and any other; null takes one away.",
    },
  },
};

/** Body of a dead letter's preview: left out, it is taken as a replay would take it. */
export const deadLetterPreviewBody: Part = {
  type: "object",
  additionalProperties: false,
  properties: {
    payload: { type: "object", description: "A draft of its correction, to be tried in its place." },
  },
};

/** What the current version's steps make of a dead letter, or of a draft of its correction: nothing is written. */
export function deadLetterPreviewService(context: ServiceContext) {
  const { store, validator, sandbox, lookups, signal: ends } = context;
  return async function previewDeadLetter(letterId: string, body: Json): Promise<Preview> {
    refuse(validator.compile(deadLetterPreviewBody)(body ?? {}));
    const letter = found(await store.deadLetters.get(letterId), "dead letter", letterId);
    if (letter.position.ordinal < 0) {
      throw new SluiceError("BUSINESS_RULE", "it is what a window gave, and enters behind it: only a replay can tell");
    }
    const id = letter.integrationId;
    const { name, spec } = found(await store.integrations.get(id), "integration", id);
    const integration = resolveIntegration(spec);
    const { payload = letter.corrected ?? recordOf(letter) } = (body ?? {}) as { payload?: Json };
    const records = [asRecord(payload, letter.position)];
    const schema = await schemaOf(store, id, integration);
    const services = { validator, sandbox, lookups, clock: realClock };
    return answered(() =>
      within(
        previewTimeoutMs,
        (signal) => previewRecords({ id, name, integration, records, schema }, services, signal),
        ends,
      ),
    );
  };
}

/** As it came, every digit of it; null: it is no JSON. */
function recordOf({ raw }: DeadLetterDetail): Json {
  try {
    return parseJson(Buffer.from(raw).toString());
  } catch {
    return null;
  }
}

/** What an integration, or a draft of it, makes of records: nothing is written, and no cursor moves. */
export function previewService(context: ServiceContext) {
  const { store, registry, validator, sandbox, lookups, checkCron, signal: ends } = context;

  return async function preview(id: string, body: Json): Promise<Preview> {
    refuse(validator.compile(previewBody)(body ?? {}));
    const {
      records,
      sample,
      spec: draft = {},
    } = (body ?? {}) as { records?: Json[]; sample?: number; spec?: JsonObject };
    if (records !== undefined && sample !== undefined) {
      refuse([{ path: "sample", message: "stands beside records; give one of the two" }]);
    }
    const row = found(await store.integrations.get(id), "integration", id);
    const spec = await drafted(row.name, row.spec, draft);
    const integration = resolveIntegration(spec);
    const given =
      records?.map((value, index) => asRecord(value, { base: "records", ordinal: index + 1 })) ??
      (await sampled(integration, sample ?? 10));
    const schema = await schemaOf(store, id, integration);
    return answered(() =>
      within(
        previewTimeoutMs,
        (signal) =>
          previewRecords(
            { id, name: row.name, integration, records: given, schema },
            { validator, sandbox, lookups, clock: realClock },
            signal,
          ),
        ends,
      ),
    );
  };

  /** The saved spec with the draft's fields in it, checked as a whole. */
  async function drafted(name: string, saved: JsonObject, draft: JsonObject): Promise<JsonObject> {
    const merged = Object.entries({ ...saved, ...draft, name }).filter(([, value]) => value !== null);
    const spec = Object.fromEntries(merged) as JsonObject;
    if (Object.keys(draft).length === 0) return spec;
    const connectors = typesOf(await allConnectors(store), registry);
    const { errors } = checkIntegration(spec, { validator, connectors, allConnectorsKnown: true, checkCron });
    refuse(errors.map(({ path, message }) => ({ path: joinPath("spec", path), message })));
    return spec;
  }

  async function sampled({ sources }: ResolvedIntegration, count: number): Promise<SourceRecord[]> {
    if (sources.length === 0) {
      refuse([{ path: "records", message: "is required: records are sent to this integration, and none can be read" }]);
    }
    const each = Math.ceil(count / sources.length);
    const samples = sources.map(async (source) => {
      const connector = await registry.open(found(await store.connectors.byName(source.connector), "connector", ""));
      try {
        return await within(probeTimeoutMs, (signal) => sampleSource(connector, source, each, signal), ends);
      } finally {
        await connector.close();
      }
    });
    return (await answered(() => Promise.all(samples))).flat().slice(0, count);
  }
}

/** What the schema contract would hold the records against. */
export async function schemaOf(
  store: Pick<Store, "schemas">,
  id: string,
  { sources, contract }: ResolvedIntegration,
): Promise<JsonSchema | null> {
  const [source, second] = sources;
  if (source === undefined || second !== undefined || contract === "evolve") return null;
  const { connector, stream } = source;
  return (await store.schemas.current({ integrationId: id, connector, stream }))?.schema ?? null;
}

export function asRecord(value: Json, position: SourceRecord["position"]): SourceRecord {
  if (isObject(value)) return { position, value };
  return { position, value: undefined, message: `a record must be a JSON object, found ${describeType(value)}` };
}

/** A far side's refusal as an answer to the request. */
export async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message, path } = failureOf(error);
    if (code === "INTERNAL_ERROR") throw error;
    const answer = code === "UNAVAILABLE" || code === "TIMEOUT" ? code : "BUSINESS_RULE";
    throw new SluiceError(answer, message, path === undefined ? [] : [{ path, message }], error);
  }
}
