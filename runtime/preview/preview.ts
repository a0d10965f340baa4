import type { ErrorCode, Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration } from "../config/index.ts";
import { SluiceError } from "../errors/index.ts";
import { type Flow, openLookUps, Pipeline, recordId, type StepServices } from "../pipeline/index.ts";
import type { Lookups } from "../ports/lookups.ts";
import { StreamContract } from "../schema/index.ts";
import type { SourceRecord } from "./source-record.ts";
import { Tracer, type Way } from "./trace.ts";

export interface PreviewInput {
  /** Of the integration: part of its records' ids. */
  readonly id: string;
  readonly name: string;
  readonly integration: ResolvedIntegration;
  readonly records: readonly SourceRecord[];
  /** The current schema of the source's stream, which the schema contract holds records against; null: not known. */
  readonly schema: JsonSchema | null;
  /** When they are taken to be read, in milliseconds since the epoch; left out: now. */
  readonly now?: number;
}

export interface PreviewServices extends Pick<StepServices, "validator" | "sandbox" | "clock"> {
  /** Look-ups are really asked. */
  readonly lookups: Lookups;
}

/** One record of the source, and what would become of it. In the words of the API (contract section 7). */
export interface RecordPreview extends Way {
  readonly record_id: string;
  /** Where it stands in its source. */
  readonly position: SourceRecord["position"];
  /** Null: it could not be read. */
  readonly record: JsonObject | null;
  /** Failed, or delivered to a destination at least, or gone into a window, or none of these. */
  readonly status: "failed" | "delivered" | "aggregated" | "filtered";
  /** Why it got to no step: it could not be read, or the schema contract refuses it. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface Preview {
  readonly records: readonly RecordPreview[];
  /** What aggregates give at the end of a run: it descends from no single record. Null: nothing. */
  readonly windows: Way | null;
  readonly totals: { in: number; delivered: number; aggregated: number; filtered: number; failed: number };
  /** Some records are counted and not shown: 20 of one record at each step are, and 4 MiB of all. */
  readonly truncated: boolean;
}

/**
 * Takes records through an integration's steps and shows what each takes and gives. Nothing is written; look-ups are
 * asked once, without being tried again. Rejects with a SluiceError where one cannot be asked, or with the signal's reason.
 */
export async function previewRecords(
  input: PreviewInput,
  services: PreviewServices,
  outer: AbortSignal,
): Promise<Preview> {
  const { id, name, integration, records, schema } = input;
  const tracer = new Tracer(integration);
  const stuck = new AbortController();
  const signal = AbortSignal.any([outer, stuck.signal]);
  // A step's pace is no part of what is shown, and a failure that stops a run is one among others here.
  const steps = integration.steps.map((step) => ({ ...step, rateLimit: null, onError: "dead_letter" as const }));
  const lookUps = await openLookUps(integration, {
    lookups: services.lookups,
    retry: { ...integration.delivery.retry, maxAttempts: 1 },
    clock: services.clock,
    signal,
    waiting: (step, reason) => {
      if (reason !== null) stuck.abort(new SluiceError("UNAVAILABLE", `step ${step}: ${reason}`));
    },
    called: () => {},
  });
  const gone = new Set<number>();
  const { now = services.clock.now() } = input;
  const idOf = (origin: number, child: string) => {
    const { base, ordinal } = (records[origin] ?? { position: { base: "", ordinal: 0 } }).position;
    return recordId(id, base, ordinal, child);
  };
  const context = {
    // Apart from what runs: a script's globals are nobody else's.
    scope: `preview ${id}`,
    now,
    recordId: idOf,
    meta: (origin: number, child: string): JsonObject => ({
      integration: name,
      run_id: "preview",
      ...streamOf(records[origin], integration),
      record_id: idOf(origin, child),
      attempt: 1,
      ingested_at: new Date(now).toISOString(),
      ...records[origin]?.meta,
    }),
    absorbed: (origins: readonly number[]) => {
      for (const origin of origins) gone.add(origin);
    },
    signal,
    deliver: (destination: string, flow: Flow) => tracer.delivered(destination, flow),
    failed: (failure: Parameters<Tracer["failed"]>[0]) => tracer.failed(failure),
    observe: (step: string, input: Flow, output: Parameters<Tracer["observe"]>[2]) =>
      tracer.observe(step, input, output),
  };
  const entry = enter(records, integration, schema);
  try {
    const pipeline = new Pipeline({ ...integration, steps }, { ...services, lookUps: lookUps.byStep });
    await untilAborted(signal, pipeline.process(entry.flow, context));
    await untilAborted(signal, pipeline.close(true, context));
  } finally {
    await lookUps.close();
  }

  const totals = { in: records.length, delivered: 0, aggregated: 0, filtered: 0, failed: 0 };
  const previews = records.map(({ position, value }, origin): RecordPreview => {
    const way = tracer.way(origin);
    const failure = entry.failures.get(origin) ?? null;
    const status = statusOf(way, failure !== null, gone.has(origin));
    totals[status]++;
    return { record_id: idOf(origin, ""), position, record: value ?? null, status, failure, ...way };
  });
  const windows = tracer.way(-1);
  const closed = windows.steps.length + windows.destinations.length > 0;
  return { records: previews, windows: closed ? windows : null, totals, truncated: tracer.truncated };
}

function statusOf({ steps, destinations }: Way, refused: boolean, aggregated: boolean): RecordPreview["status"] {
  if (refused || steps.some(({ failures }) => failures.some(({ on_error }) => on_error !== "drop"))) return "failed";
  if (destinations.length > 0) return "delivered";
  return aggregated ? "aggregated" : "filtered";
}

/** What enters the steps, and what does not, with why. */
function enter(records: readonly SourceRecord[], { contract }: ResolvedIntegration, schema: JsonSchema | null) {
  const failures = new Map<number, NonNullable<RecordPreview["failure"]>>();
  const refuse = (index: number, message: string) => failures.set(index, { code: "VALIDATION_ERROR", message });
  const origins: number[] = [];
  const values: JsonObject[] = [];
  for (const [index, { value, message = "is no record" }] of records.entries()) {
    if (value === undefined) refuse(index, message);
    else {
      origins.push(index);
      values.push(value);
    }
  }
  if (schema === null) return { flow: { origins, values }, failures };
  const held = new StreamContract(contract, schema).apply(values);
  for (const { index, message } of held.failures) refuse(origins[index] as number, message);
  const passed = held.passed?.map((index) => origins[index] as number) ?? origins;
  return { flow: { origins: passed, values: held.values }, failures };
}

function streamOf(record: SourceRecord | undefined, { sources }: ResolvedIntegration): { stream?: Json } {
  const stream = record?.stream ?? sources[0]?.stream;
  return stream === undefined ? {} : { stream };
}

/** Ends with the signal also where the work does not look at it. */
async function untilAborted(signal: AbortSignal, work: void | Promise<void>): Promise<void> {
  signal.throwIfAborted();
  if (work === undefined) return;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    aborted.promise.catch(() => {});
  }
}
