import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { messageOf } from "../../runtime/errors/index.ts";
import { LogLostError } from "../../runtime/ports/log.ts";

/** The server has no such stream (any more): what was in the log is gone, and nothing makes it anew by itself. */
export class LogMissingError extends LogLostError {
  override readonly name = "LogMissingError";
}

/** The stream ends before what it had confirmed. */
export class LogBehindError extends LogLostError {
  override readonly name = "LogBehindError";
}

/** The server has lost a consumer, and with it the position in the log. `Log.consumer` makes it again, from the start. */
export class ConsumerMissingError extends Error {
  override readonly name = "ConsumerMissingError";
}

/** The connection was lost while an answer was awaited; whether the server acted is not known. */
export class DisconnectedError extends Error {
  override readonly name = "DisconnectedError";
}

/** Codes of the server's errors.json that decide something here. */
export const apiCodes = {
  wrongLastMessageId: 10070,
  wrongLastSequence: 10071,
  /** In a cluster: another append that expects the same subject is under way. */
  wrongLastSequenceForNow: 10164,
  storeFailed: 10077,
  insufficientResources: 10023,
  insufficientStorage: 10047,
  accountResourcesExceeded: 10002,
  duplicateInProcess: 10158,
  noPeers: 10005,
  notClustered: 10074,
} as const;

export interface ApiProblem {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

/** Whether the same request may well succeed later: the server is short of something, or busy. */
export function isPassing(problem: ApiProblem): boolean {
  const { code, err_code } = problem;
  return (
    code >= 500 ||
    code === 429 ||
    err_code === apiCodes.wrongLastMessageId ||
    err_code === apiCodes.wrongLastSequenceForNow ||
    err_code === apiCodes.duplicateInProcess ||
    err_code === apiCodes.accountResourcesExceeded
  );
}

/** One sentence for readyz: why the log does not take what it is given. */
export function reasonOf(problem: ApiProblem): string {
  switch (problem.err_code) {
    case apiCodes.insufficientResources:
    case apiCodes.insufficientStorage:
    case apiCodes.accountResourcesExceeded:
      return `the log's disk is full, or its limit in nats-server is reached (${problem.description})`;
    case apiCodes.storeFailed:
      return problem.description.includes("maximum")
        ? `the log is full (${problem.description})`
        : `nats-server cannot write the log (${problem.description})`;
    case apiCodes.noPeers:
    case apiCodes.notClustered:
      return `nats-server cannot keep as many copies as SLUICE_NATS_REPLICAS says: it needs as many servers of the cluster up (${problem.description})`;
    default:
      return `nats-server refuses appends (${problem.description})`;
  }
}

/** The same of what the client throws. */
export function reasonOfThrown(error: unknown): string {
  if (error instanceof JetStreamApiError) return reasonOf(error.apiError());
  if (error instanceof errors.TimeoutError) return "nats-server does not answer";
  if (isNoResponders(error)) return "JetStream is not ready";
  return messageOf(error);
}

/** Nobody answers to the subject: the stream does not exist, or JetStream is not ready. */
export function isNoResponders(error: unknown): boolean {
  return (
    // The client does not export the class.
    (error instanceof Error && error.name === "JetStreamNotEnabled") ||
    error instanceof errors.NoRespondersError ||
    (error instanceof errors.RequestError && error.isNoResponders())
  );
}

export function isStreamNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}

export function isConsumerNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound;
}
