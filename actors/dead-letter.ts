import { hash, randomUUIDv7 } from "node:crypto";
import { type FieldError, messageShape } from "../runtime/errors/index.ts";
import { placeIn, recordId } from "../runtime/pipeline/index.ts";
import type { BatchHeader, LogBatch, ReplayedLetter, ReplayHeader } from "../runtime/ports/log.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import type { ReplayOf } from "../runtime/ports/replays.ts";
import type { Attempt, NewDeadLetter, RunRow } from "../runtime/ports/store.ts";
import { correlationAt, traceIdOf } from "../runtime/record/index.ts";
import { positionBase } from "./source-name.ts";

/** Where and why a record failed. */
export interface Cause {
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: NewDeadLetter["code"];
  readonly message: string;
  /** JSON text of the record before the failing step, or null. */
  readonly state: string | null;
  readonly attempts: readonly Attempt[];
  /** All that is wrong, by field path. */
  readonly errors?: readonly FieldError[];
}

/** The run that settles a record: not always the one that read it. */
export type RunKey = Pick<RunRow, "id" | "integrationId" | "integrationVersion">;

export interface Quarantine {
  readonly run: RunKey;
  readonly header: BatchHeader;
  /** Index of the source record in the ingest batch; -1 for a window's result, */
  readonly origin: number;
  /** which this tells apart. */
  readonly child?: string;
  readonly raw: Uint8Array;
  readonly cause: Cause;
}

/** The dead letter of one record. */
export function deadLetter({ run, header, origin, child = "", raw, cause }: Quarantine): NewDeadLetter {
  const window = origin < 0;
  const position = window ? { base: child, ordinal: -1 } : placeOf(header, origin);
  const { integrationId, integrationVersion } = run;
  const correlation = correlationAt(header, origin);
  return {
    id: randomUUIDv7(),
    runId: run.id,
    integrationId,
    integrationVersion,
    recordId: window
      ? recordId(integrationId, "", -1, child)
      : recordId(integrationId, idBase(header, origin), position.ordinal),
    ...cause,
    raw,
    position,
    fingerprint: fingerprint(cause),
    // Where spans are exported, of the batch: the failure is in its trace, which links to those of its requests.
    traceId: traceIdOf(header.traceparent ?? header.correlations?.[origin]?.traceparent) ?? null,
    correlation,
    child,
    source: window ? null : (header.replay ?? header).source,
    ...(header.replay && !window && { replayOf: replayOf(header.replay, origin) }),
  };
}

/** Where a record stood in its source. */
export function placeOf(header: BatchHeader, origin: number): NewDeadLetter["position"] {
  const { base, ordinal } = header.replay?.letters[origin] ?? placeIn(header.position, origin);
  return { base, ordinal };
}

export function ordinalOf({ position, replay }: BatchHeader, origin: number): number {
  const ordinal = replay?.letters[origin]?.ordinal ?? position.ordinals?.[origin] ?? position.offset + origin;
  // It is part of the base (placeIn).
  return typeof ordinal === "string" ? 0 : ordinal;
}

/** What a record's ordinal counts in, as its id has it. */
export function idBase(header: BatchHeader, origin: number): string {
  if (header.replay === undefined) return positionBase(header, placeIn(header.position, origin).base);
  const { base, idBase = base } = header.replay.letters[origin] as ReplayedLetter;
  return idBase;
}

export function replayOf({ jobId, letters }: ReplayHeader, origin: number): ReplayOf {
  return { jobId, deadLetterId: (letters[origin] as ReplayedLetter).id };
}

/** The text of one record of a batch. */
export function rawRecord(batch: LogBatch, index: number): Uint8Array {
  const failure = batch.failures?.find((candidate) => candidate.index === index);
  if (failure) return failure.raw;
  let start = 0;
  for (let i = 0; i < index; i++) start = batch.body.indexOf(10, start) + 1;
  const end = batch.body.indexOf(10, start);
  return batch.body.slice(start, end < 0 ? batch.body.length : end);
}

/** What a thousand failures of one kind share. */
export function fingerprint({
  code,
  step,
  destination,
  rule,
  message,
}: Pick<Cause, "code" | "step" | "destination" | "rule" | "message">): string {
  return hash("sha256", JSON.stringify([code, step, destination, rule, messageShape(message)]), "hex").slice(0, 16);
}

/** Lines for one commit; more are only counted. */
const loggedMax = 20;

/** Says which records were given up, by id and without what they hold. */
export function logDeadLetters(logger: Logger, integration: string, letters: readonly NewDeadLetter[]): void {
  for (const { runId, recordId, step, destination, code, fingerprint } of letters.slice(0, loggedMax)) {
    logger.warn({ integration, run: runId, record_id: recordId, step, destination, code, fingerprint }, "dead letter");
  }
  const more = letters.length - loggedMax;
  if (more > 0) logger.warn({ integration, run: letters[0]?.runId, count: more }, "more dead letters");
}
