import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type ResolvedIntegration, resolveIntegration } from "../../runtime/config/index.ts";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { isRepeatable } from "../../runtime/pipeline/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { FoundRecord, WantedRecord } from "../../runtime/ports/records.ts";
import type { DeadLetterDetail, RunRow } from "../../runtime/ports/store.ts";
import { previewRecords, type RecordPreview, type SourceRecord } from "../../runtime/preview/index.ts";
import { parseJson, requestMeta, traceIdOf } from "../../runtime/record/index.ts";
import { found, type ServiceContext } from "./context.ts";
import { asRecord, schemaOf } from "./preview.ts";
import { within } from "./probe.ts";
import { eventsOf, outcomesOf, statusOf, type Trail } from "./record-outcomes.ts";
import { deadLetterResource } from "./resources.ts";

export type WantedBy = "record_id" | "key" | "dead_letter";

export interface FollowOptions {
  /** Null: as it looks. */
  readonly by: WantedBy | null;
  readonly since: Date | null;
  readonly until: Date | null;
  readonly limit: number;
}

/** Of a search in the log, and of taking what it finds through the steps again. */
const searchBounds = { messages: 20_000, ms: 5_000 };
const stepsMs = 10_000;
const lettersMax = 100;
/** Of the records that are shown, from the newest on; the newest is shown whatever it has. */
const shownBytes = 16 * 1024 * 1024;

/** What became of records of an integration: where each stands in the log, what the steps make of it, and its outcome at each destination. */
export function recordService(context: ServiceContext) {
  const { store, records, validator, sandbox, lookups, traceUrl, signal } = context;

  return async function follow(id: string, text: string, options: FollowOptions): Promise<JsonObject> {
    const row = found(await store.integrations.get(id), "integration", id);
    const range = { since: options.since?.getTime(), until: options.until?.getTime() };
    const { wanted, by, letter } = await wantedBy(id, text, options.by);
    const { items, searched } = await records.find(id, wanted, {
      ...range,
      // It was in the log before it failed.
      ...(letter && { until: Math.min(letter.firstFailedAt.getTime(), range.until ?? Number.POSITIVE_INFINITY) }),
      ...searchBounds,
      limit: options.limit,
      signal,
    });
    let bytes = 0;
    const isShown = items.map(({ raw }, i) => {
      bytes += raw?.length ?? 0;
      return i === 0 || bytes <= shownBytes;
    });
    const shown = await Promise.all(items.map((item, i) => followed(row.name, id, item, isShown[i] as boolean)));
    if (letter && items.length === 0) shown.push(await ofLetter(letter));
    return {
      items: shown,
      searched: {
        by,
        messages: searched.messages,
        since: searched.oldest === null ? null : new Date(searched.oldest).toISOString(),
        complete: searched.cut === null,
        cut: searched.cut,
      },
    };
  };

  async function wantedBy(id: string, text: string, given: WantedBy | null) {
    const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
    const letter = isId && (given ?? "dead_letter") === "dead_letter" ? await store.deadLetters.get(text) : null;
    if (letter?.integrationId === id) {
      return { by: "dead_letter", wanted: { recordId: letter.recordId } satisfies WantedRecord, letter };
    }
    if (given === "dead_letter") throw new SluiceError("NOT_FOUND", `there is no dead letter with the id ${text}`);
    if (given === "record_id" || (given === null && /^[0-9a-f]{32}$/.test(text))) {
      return { by: "record_id", wanted: { recordId: text } satisfies WantedRecord, letter: null };
    }
    return { by: "key", wanted: { key: text } satisfies WantedRecord, letter: null };
  }

  async function followed(name: string, id: string, item: FoundRecord, isShown: boolean): Promise<JsonObject> {
    const [version, run, letters, retriesOfAll] = await Promise.all([
      integrationAt(id, item.integrationVersion),
      store.runs.get(item.runId),
      lettersOf(id, item),
      store.retries.ofRecord(id, item.recordId),
    ]);
    const retries = retriesOfAll.filter(({ letter }) => isOf(item, letter.runId));
    const { way, truncated, reason } = isShown
      ? await throughSteps(name, id, item, version)
      : untaken("it is too large to be shown beside the others: ask for it by its record id alone");
    const trail: Trail = { item, run, letters, retries, way, integration: version };
    const destinations = outcomesOf(trail);
    const traceId = traceIdOf(item.traceparent ?? item.correlation?.traceparent);
    return {
      ...placeOf(item, run),
      request: item.correlation ? requestMeta(item.correlation) : null,
      ...traceOf(traceId),
      replay: item.replay ? { job_id: item.replay.jobId, dead_letter_id: item.replay.deadLetterId } : null,
      record: isShown ? (way?.record ?? valueIn(item)) : null,
      failure: item.failure ?? way?.failure?.message ?? null,
      status: statusOf(trail, destinations),
      steps: (way?.steps ?? null) as unknown as Json,
      steps_reason: reason,
      truncated,
      repeatable: version !== null && isRepeatable(version),
      destinations: destinations as unknown as Json,
      dead_letters: letters.map(deadLetterResource),
      events: eventsOf(trail, destinations) as unknown as Json,
    };
  }

  /** Of a record that the log does not have any more, or that came of a window: the dead letter has what is known. */
  async function ofLetter(letter: DeadLetterDetail): Promise<JsonObject> {
    const { runId, integrationVersion, position, recordId, correlation, traceId } = letter;
    const [run, integration, retries] = await Promise.all([
      store.runs.get(runId),
      integrationAt(letter.integrationId, integrationVersion),
      store.retries.ofRecord(letter.integrationId, recordId),
    ]);
    const trail: Trail = { item: null, run, letters: [letter], retries, way: null, integration };
    const destinations = outcomesOf(trail);
    return {
      ...{ record_id: recordId, sequence: null, stream: null, ingested_at: null, logged_at: null },
      ...{ run_id: runId, run_status: run?.status ?? null, integration_version: integrationVersion },
      position: { ...position },
      request: correlation ? requestMeta(correlation) : null,
      ...traceOf(traceId ?? undefined),
      replay: null,
      record: (letter.payload ?? null) as Json,
      failure: null,
      status: statusOf(trail, destinations),
      steps: null,
      steps_reason: "the log does not have the record any more: this is what its dead letter says",
      truncated: false,
      repeatable: integration !== null && isRepeatable(integration),
      destinations: destinations as unknown as Json,
      dead_letters: [deadLetterResource(letter)],
      events: eventsOf(trail, destinations) as unknown as Json,
    };
  }

  function traceOf(traceId: string | undefined): JsonObject {
    if (traceId === undefined) return { trace_id: null, trace_url: null };
    return { trace_id: traceId, trace_url: traceUrl?.replaceAll("{trace_id}", traceId) ?? null };
  }

  /** What the version that was in force had to do with the record; null: nobody knows it any more. */
  async function integrationAt(id: string, version: number): Promise<ResolvedIntegration | null> {
    const row = await store.integrations.version(id, version);
    return row && resolveIntegration(row.spec);
  }

  async function lettersOf(id: string, item: FoundRecord) {
    const { recordId, ingestedAt, replay } = item;
    const filter = { recordId, since: new Date(ingestedAt) };
    const { items } = await store.deadLetters.list(id, { limit: lettersMax, cursor: null, resolved: null, filter });
    return items.filter((letter) => (replay ? letter.id === replay.deadLetterId : isOf(item, letter.runId)));
  }

  async function throughSteps(
    name: string,
    id: string,
    item: FoundRecord,
    integration: ResolvedIntegration | null,
  ): Promise<Taken> {
    const { raw, replay, failure, position, stream, ingestedAt, meta, runId, correlation } = item;
    if (integration === null) return untaken("its version of the integration is not kept any more");
    if (raw === null) return untaken("the store has lost the record");
    if (failure !== undefined) return untaken("it could not be read, and came to no step");
    if (replay && replay.entry.at !== "head") return untaken("it was replayed behind the steps");
    const known = { ...meta, run_id: runId, ...(correlation && { request: requestMeta(correlation) }) };
    const record: SourceRecord = { ...asRecord(valueIn(item), position), stream, meta: known };
    const schema = await schemaOf(store, id, integration);
    try {
      const input = { id, name, integration, records: [record], schema, now: ingestedAt };
      const services = { validator, sandbox, lookups, clock: realClock };
      const preview = await within(stepsMs, (limit) => previewRecords(input, services, limit), signal);
      return { way: preview.records[0] ?? null, truncated: preview.truncated, reason: null };
    } catch (error) {
      signal?.throwIfAborted();
      return untaken(`the steps could not be taken again: ${messageOf(error)}`);
    }
  }
}

/** A record's way through the steps, taken again, or why it was not. `truncated`: some of what they give is not in it. */
interface Taken {
  readonly way: RecordPreview | null;
  readonly truncated: boolean;
  readonly reason: string | null;
}

const untaken = (reason: string): Taken => ({ way: null, truncated: false, reason });

/** Whether something that a run did was done to this passage: where a record is read by each run, each has its own. */
const isOf = ({ fullRead, runId }: FoundRecord, run: string): boolean => !fullRead || runId === run;

function placeOf(item: FoundRecord, run: RunRow | null): JsonObject {
  return {
    record_id: item.recordId,
    sequence: item.sequence,
    stream: item.stream,
    ingested_at: new Date(item.ingestedAt).toISOString(),
    logged_at: new Date(item.loggedAt).toISOString(),
    run_id: item.runId,
    run_status: run?.status ?? null,
    integration_version: item.integrationVersion,
    position: { ...item.position },
  };
}

function valueIn({ raw }: FoundRecord): Json {
  try {
    return raw === null ? null : parseJson(Buffer.from(raw).toString());
  } catch {
    return null;
  }
}
