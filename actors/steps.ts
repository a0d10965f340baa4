import type { Json, ReadFailure } from "../connectors/sdk/index.ts";
import {
  type Flow,
  type Pipeline,
  type PipelineContext,
  PipelineRecord,
  type Provenance,
  recordId,
} from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { BatchHeader, LogMessage } from "../runtime/ports/log.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import { failedIn, inSpan, type Metrics, type Span, type Tracing } from "../runtime/ports/telemetry.ts";
import { correlationAt, type Decoded, decodeLines, nearest, parseJson, requestMeta } from "../runtime/record/index.ts";
import type { ContractResult } from "../runtime/schema/index.ts";
import { Account } from "./account.ts";
import { type Care, carefully, isSuspect } from "./careful.ts";
import { type Cause, idBase, ordinalOf, placeOf, type RunKey } from "./dead-letter.ts";
import type { Turn } from "./in-order.ts";
import type { Invocations } from "./invocations.ts";
import type { InvokedBatch } from "./invoked-batch.ts";
import type { Outcome } from "./ledger.ts";
import { countsOf, type LedgerChange } from "./ledger-counts.ts";
import type { Offload } from "./offload.ts";
import type { Delivery, Outlet, Sent } from "./outlets.ts";
import { processReplay, streamOf } from "./replayed.ts";
import { positionBase } from "./source-name.ts";
import type { StreamGate } from "./stream-gate.ts";
import type { Taps } from "./taps.ts";

export interface StepsOptions {
  readonly run: RunKey;
  readonly integration: string;
  /** Undefined: no schema contract holds. */
  readonly gate: (header: BatchHeader) => StreamGate | undefined;
  readonly pipeline: Pipeline;
  /** Undefined: all is done on this thread. */
  readonly offload?: Offload | undefined;
  readonly outlet: Outlet;
  /** Undefined: what crashes the steps crashes them again. */
  readonly care?: Care | undefined;
  readonly invocations: Invocations;
  /** Who listens. */
  readonly taps?: Taps | undefined;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Takes a message of the ingest log through the steps to the outlet, and says what became of it. */
export async function processSteps(message: LogMessage, options: StepsOptions, turn?: Turn): Promise<Outcome> {
  try {
    return await process(message, options, turn);
  } catch (error) {
    if (!options.signal.aborted) options.care?.suspects.add(message, error);
    throw error;
  }
}

async function process(message: LogMessage, options: StepsOptions, turn: Turn | undefined): Promise<Outcome> {
  const { run, outlet, metrics, tracing, integration, pipeline, logger } = options;
  const { header } = message;
  const gate = options.gate(header);
  const invoked = options.invocations.batch(header);
  const account = new Account(message, run, invoked);
  const span = tracing.start("process", { "sluice.records": header.count }, { parent: header.traceparent });
  const delivery = outlet.open(message, span.traceparent);
  try {
    await turn?.before;
    await throughSteps(message, { account, delivery, gate, span, invoked }, options);
    span.end(undefined, failedIn(account.deadLetters));
  } catch (error) {
    span.end(error);
    throw error;
  }
  const groups = pipeline.changes();
  if (!outlet.holdsTurn) turn?.passed();
  const { delivered, state, processed } = await delivery.end();
  turn?.passed();

  for (const failure of delivered?.undelivered ?? []) account.undelivered(failure, options.clock);
  invoked?.through(delivered?.destination);
  const { reached, filtered, failed } = account.close();
  metrics.recordsIn(integration, header.count);
  if (filtered > 0) metrics.recordsFiltered(integration, filtered);
  for (const { step, destination } of account.deadLetters) {
    metrics.recordsFailed(integration, destination === null ? { step: step ?? "source" } : { destination }, 1);
  }
  for (const [step, { dropped: count }] of account.tally.steps) {
    if (count > 0) logger.warn({ integration, run: run.id, step, count }, "records dropped by on_error");
  }
  return {
    deadLetters: account.deadLetters,
    retries: account.retries,
    state,
    groups,
    replayed: account.replayed,
    processed,
    accounted: reached + filtered + failed,
    sent: account.sent,
    change: { steps: account.tally.steps, destinations: handedOn(account.sent, delivered) },
    count: (total) => {
      total.in += header.count;
      total.filtered += filtered;
      total.failed += failed + account.windowsFailed;
      if (!delivered) return;
      const destination = countsOf(total, delivered.destination);
      total.out += delivered.out;
      destination.out += delivered.out;
      destination.failed += delivered.undelivered.length - account.retries.length;
    },
  };
}

/** A deliver log keeps what it was given; else the destination has had it. */
function handedOn(sent: ReadonlyMap<string, number>, delivered: Sent["delivered"]): LedgerChange["destinations"] {
  const destinations = Array.from(sent, ([id, published]) => {
    const confirmed = delivered?.destination === id ? delivered.out : 0;
    return [id, { published, taken: delivered ? published : 0, confirmed }] as const;
  });
  return new Map(destinations);
}

interface Passage {
  readonly account: Account;
  readonly delivery: Delivery;
  readonly gate: StreamGate | undefined;
  readonly span: Span;
  readonly invoked: InvokedBatch | undefined;
}

async function throughSteps(
  message: LogMessage,
  { account, delivery, gate, span, invoked }: Passage,
  { pipeline, offload, care, taps, integration, run, clock, signal }: StepsOptions,
): Promise<void> {
  const { header } = message;
  const provenance = provenanceOf(run.integrationId, header);
  const requested = requestedBy(header);
  const shared = inSpan(header.correlation, span);
  const headers = header.hooks?.headers;
  const tap = taps?.of(run.integrationId);
  const context = {
    ...(tap && { observe: tap.observe(provenance.recordId) }),
    scope: run.integrationId,
    now: header.ingestedAt,
    recordId: provenance.recordId,
    meta: (origin: number, child: string) => ({
      ...requested(origin),
      ...(headers?.[origin] && { headers: headers[origin] }),
      integration,
      run_id: header.runId,
      stream: streamOf(header),
      record_id: provenance.recordId(origin, child),
      attempt: message.deliveries,
      ingested_at: new Date(header.ingestedAt).toISOString(),
    }),
    correlation: (origin: number) => {
      const own = header.correlations?.[origin];
      return own ? nearest(own, span.traceparent) : shared;
    },
    signal,
    counts: account.tally,
    absorbed: (origins: readonly number[]) => account.absorbed(origins),
    failed: account.refused.bind(account),
    deliverTexts: (
      destination: string,
      origins: readonly number[],
      texts: readonly string[],
      part: string | undefined,
    ) => {
      account.send(destination, origins);
      const records = texts.map(
        (text, i) => new PipelineRecord(provenance, origins[i] as number, "", undefined, text, parseJson),
      );
      invoked?.sent(destination, records);
      return delivery.send(destination, records, part);
    },
    deliver: (destination: string, { origins, values, children, part }: Flow) => {
      account.send(destination, origins);
      const records = values.map(
        (value, i) =>
          new PipelineRecord(provenance, origins[i] as number, children?.[i] ?? "", value, undefined, parseJson),
      );
      invoked?.sent(destination, records);
      return delivery.send(destination, records, part);
    },
  };
  if (header.kind !== "records") return pipeline.close(header.kind === "end", context);
  if (message.gone !== undefined) return nothingLeft(message, message.gone, account);
  const decoded = decodeLines(message.body, header.count);
  const given = sourceFlow(decoded, message.failures);
  account.entered(given.origins);
  const source = invoked ? without(given, invoked.begin()) : given;
  tap?.read(source, provenance.recordId);
  for (const failure of sourceFailures(message, decoded)) account.fail(failure.origin, "", failure.cause);
  const held = gate?.apply(source.values);
  // Before anything of it may be written, since between that and its settlement nothing is waited for (settler.ts).
  await gate?.saved();
  for (const { index, message: text } of held?.failures ?? []) {
    const state = JSON.stringify(source.values[index]);
    account.fail(source.origins[index] as number, "", contractCause(text, state));
  }
  const flow = held === undefined ? source : passing(source, held);
  const read = account.tally.of("source");
  if (held?.passed) read.filtered += source.values.length - held.passed.length - held.failures.length;
  const through = (some: Flow, pipeline: Pipeline, context: PipelineContext) => {
    if (context.counts) context.counts.of("source").out += some.values.length;
    if (header.replay) return processReplay(some, header.replay, { account, context, pipeline });
    return pipeline.process(some, context);
  };
  if (care && flow.values.length > 0 && isSuspect(message, care)) {
    const { integrationId } = run;
    return carefully(flow, { ...care, integrationId, message, account, context, pipeline, clock, through });
  }
  if (offload === undefined || header.replay) return through(flow, pipeline, context);
  read.out += flow.values.length;
  return offload.process({ body: message.body, count: header.count, origins: flow.origins }, flow, context);
}

export function provenanceOf(integrationId: string, header: BatchHeader): Provenance {
  const isOne =
    header.replay === undefined && !header.position.ordinals?.some((ordinal) => typeof ordinal === "string");
  const base = isOne ? positionBase(header) : undefined;
  return {
    correlation: (origin) => correlationAt(header, origin),
    // A window's result is told apart by the window alone.
    recordId: (origin, child) =>
      origin < 0
        ? recordId(integrationId, "", -1, child)
        : recordId(integrationId, base ?? idBase(header, origin), ordinalOf(header, origin), child),
  };
}

/** What scripts are told of the request that set a record going. */
function requestedBy(header: BatchHeader): (origin: number) => { readonly request?: Json } {
  if (header.correlations) {
    return (origin) => {
      const correlation = correlationAt(header, origin);
      return correlation ? { request: requestMeta(correlation) } : {};
    };
  }
  const shared = header.correlation ? { request: requestMeta(header.correlation) } : {};
  return () => shared;
}

/** Each record is a dead letter without a payload. One that was replayed is a dead letter already, and stays one. */
function nothingLeft({ header }: LogMessage, reason: string, account: Account): void {
  const origins = Array.from({ length: header.count }, (_, origin) => origin);
  account.entered(origins);
  if (header.replay) account.tally.of("source").filtered += header.count;
  else for (const origin of origins) account.fail(origin, "", { ...contractCause(reason, null), code: "NOT_FOUND" });
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

function without({ origins, values }: Flow, left: ReadonlySet<number>): Flow {
  if (left.size === 0) return { origins, values };
  const kept = origins.flatMap((origin, i) => (left.has(origin) ? [] : [i]));
  return {
    origins: kept.map((i) => origins[i] as number),
    values: kept.map((i) => values[i] as Flow["values"][number]),
  };
}

/** What the schema contract lets pass. */
function passing(entered: Flow, { passed, values }: ContractResult): Flow {
  return passed === undefined ? entered : { origins: passed.map((index) => entered.origins[index] as number), values };
}

function* sourceFailures({ header, failures = [] }: LogMessage, decoded: Decoded) {
  const known = new Set(failures.map(({ index }) => index));
  const unparsed = decoded.failures
    .filter(({ index }) => !known.has(index))
    .map(({ index, message }) => ({ index, code: "VALIDATION_ERROR" as const, message }));
  for (const { index, code, message: text } of [...failures, ...unparsed]) {
    const { base, ordinal } = placeOf(header, index);
    const message = `${base}:${ordinal}: ${text}`;
    yield { origin: index, cause: { ...contractCause(message, null), code } satisfies Cause };
  }
}

/** Of a record that never came to a step. */
function contractCause(message: string, state: string | null): Cause {
  return { step: null, destination: null, rule: null, code: "VALIDATION_ERROR", message, state, attempts: [] };
}
