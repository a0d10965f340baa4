import type { Json, OutRecord, ReadFailure } from "../connectors/sdk/index.ts";
import type { Undelivered } from "../runtime/delivery/index.ts";
import type { Flow, Pipeline, PipelineResult, StepFailure } from "../runtime/pipeline/index.ts";
import { PipelineRecord, type Provenance, recordId } from "../runtime/pipeline/index.ts";
import type { BatchHeader, LogMessage } from "../runtime/ports/log.ts";
import type { NewDeadLetter } from "../runtime/ports/store.ts";
import type { Metrics, Tracing } from "../runtime/ports/telemetry.ts";
import { type Decoded, decodeLines, parseJson } from "../runtime/record/index.ts";
import type { ContractResult } from "../runtime/schema/index.ts";
import { deadLetter, ordinalOf, type RunKey, rawRecord } from "./dead-letter.ts";
import type { Outcome } from "./ledger.ts";
import type { StreamGate } from "./stream-gate.ts";

/** Where records go after the steps: a destination right away, or a deliver log for each. */
export interface Outlet {
  /** Resolves when each record is safe further on, or given up. */
  send(
    message: LogMessage,
    outputs: ReadonlyMap<string, readonly OutRecord[]>,
    traceparent: string | undefined,
  ): Promise<Sent>;
}

export interface Sent {
  /** By destination. Empty where a deliver log took the records over: they are counted when they leave it. */
  readonly delivered: ReadonlyMap<string, { readonly out: number; readonly undelivered: readonly Undelivered[] }>;
  readonly state?: Json | undefined;
}

export interface StepsOptions {
  readonly run: RunKey;
  readonly integration: string;
  /** Undefined: no schema contract holds. */
  readonly gate: StreamGate | undefined;
  readonly pipeline: Pipeline;
  readonly outlet: Outlet;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly signal: AbortSignal;
}

/** A record that failed, with its index in the ingest batch. */
interface Failed {
  readonly origin: number;
  readonly letter: NewDeadLetter;
}

/** Takes a batch of the ingest log through the steps to the outlet, and says what became of it. */
export async function processSteps(message: LogMessage, options: StepsOptions): Promise<Outcome> {
  const { run, outlet, metrics, integration, gate } = options;
  const { header } = message;
  const provenance = provenanceOf(run.integrationId, header);
  const { decoded, entered, refused, result, traceparent } = await throughSteps(message, provenance, options);
  const outputs = new Map<string, readonly OutRecord[]>();
  for (const [destination, { origins, values, children }] of result.outputs) {
    if (values.length === 0) continue;
    outputs.set(
      destination,
      values.map(
        (value, i) =>
          new PipelineRecord(provenance, origins[i] as number, children?.[i] ?? "", value, undefined, parseJson),
      ),
    );
  }
  const sent: Sent = outputs.size === 0 ? { delivered: new Map() } : await outlet.send(message, outputs, traceparent);
  await gate?.saved();

  const failed = [
    ...sourceFailures(message, decoded, run),
    ...refused.map(({ index, message: text }) => contractFailed(message, entered, index, text, run)),
    ...result.failures.map((failure) => stepFailed(message, failure, run)),
    ...undeliveredRecords(message, result, sent, run),
  ];
  const counts = tally(header.count, entered, result, failed);
  metrics.recordsIn(integration, header.count);
  if (counts.filtered > 0) metrics.recordsFiltered(integration, counts.filtered);
  for (const { letter } of failed) {
    const where = letter.destination === null ? { step: letter.step ?? "source" } : { destination: letter.destination };
    metrics.recordsFailed(integration, where, 1);
  }
  return {
    deadLetters: failed.map(({ letter }) => letter),
    state: sent.state,
    accounted: counts.reached + counts.filtered + counts.failed,
    sent: new Map(Array.from(outputs, ([destination, records]) => [destination, records.length])),
    count: (total) => {
      total.in += header.count;
      total.filtered += counts.filtered;
      total.failed += counts.failed;
      for (const [id, { out, undelivered }] of sent.delivered) {
        const destination = (total.byDestination[id] ??= { out: 0, failed: 0 });
        total.out += out;
        destination.out += out;
        destination.failed += undelivered.length;
      }
    },
  };
}

async function throughSteps(message: LogMessage, provenance: Provenance, options: StepsOptions) {
  const { pipeline, tracing, gate, integration, run, signal } = options;
  const { header } = message;
  const span = tracing.start("process", { "sluice.records": header.count }, header.traceparent);
  try {
    const decoded = decodeLines(message.body, header.count);
    const entered = sourceFlow(decoded, message.failures);
    const held = gate?.apply(entered.values);
    const result = await pipeline(held === undefined ? entered : passing(entered, held), {
      scope: run.integrationId,
      meta: (origin, child) => ({
        integration,
        run_id: header.runId,
        stream: header.stream,
        record_id: provenance.recordId(origin, child),
        attempt: message.deliveries,
        ingested_at: new Date(header.ingestedAt).toISOString(),
      }),
      signal,
    });
    span.end(undefined, { "sluice.failed": header.count - entered.values.length + result.failures.length });
    return { decoded, entered, refused: held?.failures ?? [], result, traceparent: span.traceparent };
  } catch (error) {
    span.end(error);
    throw error;
  }
}

export function provenanceOf(integrationId: string, header: BatchHeader): Provenance {
  return {
    recordId: (origin, child) => recordId(integrationId, header.position.base, ordinalOf(header, origin), child),
  };
}

function sourceFlow({ values }: Decoded, failures: readonly ReadFailure[] | undefined): Flow {
  const refused = failures && new Set(failures.map(({ index }) => index));
  const origins: number[] = [];
  const valid: Flow["values"][number][] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined || refused?.has(i)) continue;
    origins.push(i);
    valid.push(value);
  }
  return { origins, values: valid };
}

/** What the schema contract lets pass. */
function passing(entered: Flow, { passed, values }: ContractResult): Flow {
  return passed === undefined ? entered : { origins: passed.map((index) => entered.origins[index] as number), values };
}

/** Each source record counts once: failed, before what reached a destination, before filtered. */
function tally(
  records: number,
  entered: Flow,
  { outputs }: PipelineResult,
  failed: readonly Failed[],
): { reached: number; filtered: number; failed: number } {
  const seen = new Uint8Array(records);
  let left = records;
  const mark = (origin: number) => {
    if (seen[origin] === 1) return;
    seen[origin] = 1;
    left--;
  };
  for (const { origin } of failed) mark(origin);
  const failures = records - left;
  const unfailed = left;
  for (const { origins } of outputs.values()) {
    if (left === 0) break;
    for (const origin of origins) mark(origin);
  }
  const reached = unfailed - left;
  // Counted, not what is left: a record that was lost on the way shows (invariant 8).
  const filtered = left === 0 ? 0 : entered.origins.reduce((count, origin) => count + 1 - (seen[origin] as number), 0);
  return { reached, filtered, failed: failures };
}

function sourceFailures(message: LogMessage, decoded: Decoded, run: RunKey): Failed[] {
  const read = message.failures ?? [];
  const known = new Set(read.map(({ index }) => index));
  const unparsed = decoded.failures
    .filter(({ index }) => !known.has(index))
    .map(({ index, message }) => ({ index, code: "VALIDATION_ERROR" as const, message }));
  return [...read, ...unparsed].map(({ index, code, message: text }) => {
    const { base } = message.header.position;
    const cause = {
      step: null,
      destination: null,
      rule: null,
      code,
      message: `${base}:${ordinalOf(message.header, index)}: ${text}`,
      state: null,
      attempts: [],
    };
    return {
      origin: index,
      letter: deadLetter({
        run,
        header: message.header,
        origin: index,
        raw: rawRecord(message, index),
        cause,
      }),
    };
  });
}

function contractFailed(message: LogMessage, entered: Flow, index: number, text: string, run: RunKey): Failed {
  const origin = entered.origins[index] as number;
  const state = JSON.stringify(entered.values[index]);
  const code = "VALIDATION_ERROR" as const;
  const cause = { step: null, destination: null, rule: null, code, message: text, state, attempts: [] };
  return {
    origin,
    letter: deadLetter({ run, header: message.header, origin, raw: rawRecord(message, origin), cause }),
  };
}

function stepFailed(message: LogMessage, failure: StepFailure, run: RunKey): Failed {
  const { origin, step, rule, code, message: text, state } = failure;
  const cause = { step, destination: null, rule, code, message: text, state: JSON.stringify(state), attempts: [] };
  return {
    origin,
    letter: deadLetter({ run, header: message.header, origin, raw: rawRecord(message, origin), cause }),
  };
}

function* undeliveredRecords(message: LogMessage, result: PipelineResult, sent: Sent, run: RunKey): Generator<Failed> {
  for (const [destination, { undelivered }] of sent.delivered) {
    const flow = result.outputs.get(destination) as Flow;
    for (const { index, code, message: text, attempts } of undelivered) {
      const origin = flow.origins[index] as number;
      const state = JSON.stringify(flow.values[index]);
      const cause = { step: null, destination, rule: null, code, message: text, state, attempts };
      yield {
        origin,
        letter: deadLetter({ run, header: message.header, origin, raw: rawRecord(message, origin), cause }),
      };
    }
  }
}
