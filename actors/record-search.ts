import type { Json } from "../connectors/sdk/index.ts";
import { RetryLaterError } from "../runtime/errors/index.ts";
import type { HistoricBatch, LogHistory } from "../runtime/ports/log.ts";
import type { FoundRecord, RecordSearch, WantedRecord } from "../runtime/ports/records.ts";
import type { CheckpointStore } from "../runtime/ports/store.ts";
import { correlationAt, decodeLines } from "../runtime/record/index.ts";
import { sinkName } from "./balance.ts";
import { placeOf, rawRecord } from "./dead-letter.ts";
import { isDelivered } from "./inspection.ts";
import { sourceSubject } from "./intake.ts";
import { RunLedger } from "./ledger.ts";
import { isSettled } from "./settled-keys.ts";
import { isFullRead } from "./source-name.ts";
import { provenanceOf } from "./steps.ts";

export interface RecordSearchOptions {
  readonly history: LogHistory;
  readonly store: Pick<CheckpointStore, "load">;
}

/** Of one node: each reads through messages of about 100 kB. */
const searchesAtOnce = 4;
const againMs = 2_000;

/** A record as it was met, without what has become of it. */
type Met = Omit<FoundRecord, "throughSteps" | "throughDestinations"> & { readonly batch: HistoricBatch };

/** Looks for records in ingest logs, from the newest on. */
export function recordSearch({ history, store }: RecordSearchOptions): RecordSearch {
  let searching = 0;
  return {
    async find(integrationId, wanted, bounds) {
      if (searching >= searchesAtOnce)
        throw new RetryLaterError("too many records are looked for on this node", againMs);
      searching++;
      try {
        const { limit, messages: most, ms, signal, ...range } = bounds;
        const end = performance.now() + ms;
        const met: Met[] = [];
        const searched = { messages: 0, oldest: null as number | null, cut: null as "messages" | "time" | null };
        for await (const batch of history.newestFirst(integrationId, range)) {
          signal?.throwIfAborted();
          if (batch.subject !== sourceSubject) continue;
          searched.messages++;
          searched.oldest = batch.at;
          for (const origin of matching(integrationId, batch, wanted)) met.push(recordAt(integrationId, batch, origin));
          if (isEnough(met, wanted, limit)) break;
          if (searched.messages >= most) searched.cut = "messages";
          else if (performance.now() > end) searched.cut = "time";
          if (searched.cut !== null) break;
        }
        const items = met.slice(0, limit);
        return { items: items.length === 0 ? [] : await withStates(integrationId, items, store), searched };
      } finally {
        searching--;
      }
    },
  };
}

/** An id is that of one record of the source: what it came with first is older than its replays. */
function isEnough(met: readonly Met[], wanted: WantedRecord, limit: number): boolean {
  return met.length >= limit || ("recordId" in wanted && met.some(({ replay }) => replay === undefined));
}

/** The indexes of what is looked for in a batch, the last first. */
function matching(integrationId: string, batch: HistoricBatch, wanted: WantedRecord): number[] {
  const { header } = batch;
  const found: number[] = [];
  if ("recordId" in wanted) {
    const { recordId } = provenanceOf(integrationId, header);
    // Each dead letter that it is a replay of is gone with the body.
    if (batch.gone && header.replay) return [];
    for (let origin = 0; origin < header.count; origin++) {
      if (recordId(origin, "") === wanted.recordId) found.unshift(origin);
    }
    return found;
  }
  if (batch.gone || !mayHold(batch.body, wanted.key)) return [];
  const { values } = decodeLines(batch.body, header.count);
  for (const [origin, value] of values.entries()) {
    if (value !== undefined && holds(value, wanted.key)) found.unshift(origin);
  }
  return found;
}

/** Whether the bytes may hold the text; a text that JSON may write otherwise (`\u00e4`, `\/`) may be anywhere. */
function mayHold(body: Uint8Array, text: string): boolean {
  if (!/^[\w@.:+ -]+$/.test(text)) return true;
  return Buffer.from(body.buffer, body.byteOffset, body.length).includes(text);
}

function holds(value: Json, text: string): boolean {
  if (value === null) return false;
  if (typeof value !== "object") return String(value) === text;
  if (JSON.isRawJSON(value)) return JSON.stringify(value) === text;
  const all: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return all.some((each) => holds(each, text));
}

function recordAt(integrationId: string, batch: HistoricBatch, origin: number): Met {
  const { header, sequence, at, gone } = batch;
  const { runId, integrationVersion, stream, ingestedAt, traceparent, replay, hooks, failures } = {
    ...header,
    failures: batch.failures,
  };
  const letter = replay?.letters[origin];
  const headers = hooks?.headers?.[origin];
  return {
    recordId: provenanceOf(integrationId, header).recordId(origin, ""),
    ...{ sequence, ingestedAt, loggedAt: at, runId, integrationVersion, stream, traceparent },
    position: placeOf(header, origin),
    correlation: correlationAt(header, origin),
    meta: headers ? { headers: { ...headers } } : {},
    raw: gone ? null : rawRecord(batch, origin),
    failure: failures?.find(({ index }) => index === origin)?.message,
    fullRead: isFullRead(header),
    replay: replay && letter && { jobId: replay.jobId, deadLetterId: letter.id, entry: replay.entry },
    batch,
  };
}

/** What the consumers have committed by now. */
async function withStates(
  integrationId: string,
  met: readonly Met[],
  store: Pick<CheckpointStore, "load">,
): Promise<FoundRecord[]> {
  const checkpoints = await store.load(integrationId);
  const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
  const ledger = new RunLedger({ id: "", integrationId, counts }, 0, checkpoints);
  const sinks = checkpoints
    .map(({ consumer }) => consumer)
    .filter((consumer) => consumer.startsWith(sinkName("")))
    .map((consumer) => [consumer.slice(sinkName("").length), ledger.consumer(consumer)] as const);
  const steps = ledger.consumer("steps");
  return met.map(({ batch, ...record }) => {
    const { sequence, header } = batch;
    const delivered = { sequence, header: { ...header, ingestSequence: sequence } };
    return {
      ...record,
      throughSteps: isSettled(steps, batch),
      throughDestinations: Object.fromEntries(sinks.map(([id, state]) => [id, isDelivered(state, delivered)])),
    };
  });
}
