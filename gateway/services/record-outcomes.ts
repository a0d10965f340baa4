import type { ResolvedIntegration } from "../../runtime/config/index.ts";
import type { FoundRecord } from "../../runtime/ports/records.ts";
import type { ScheduledRetry } from "../../runtime/ports/retries.ts";
import type { Attempt, DeadLetterRow, RunRow } from "../../runtime/ports/store.ts";
import type { RecordPreview, ShownRecords } from "../../runtime/preview/index.ts";

/** All that is known of one passage of a record. */
export interface Trail {
  /** Null: the log does not have it any more. */
  readonly item: FoundRecord | null;
  readonly run: RunRow | null;
  readonly letters: readonly DeadLetterRow[];
  readonly retries: readonly ScheduledRetry[];
  /** Null: not known. */
  readonly way: RecordPreview | null;
  readonly integration: ResolvedIntegration | null;
}

/**
 * `waiting`: in a log, for the steps or the destination. `retrying`: outside of it, for its next try. `replayed` and
 * `discarded`: it was a dead letter. `dropped`: its run was given up, and the next one reads it again. `unknown`: that
 * run may have delivered it or not.
 */
export type OutcomeStatus =
  | "delivered"
  | "waiting"
  | "retrying"
  | "dead_lettered"
  | "replayed"
  | "discarded"
  | "dropped"
  | "unknown";

/** In the words of the API. */
export interface Outcome {
  readonly destination: string;
  readonly connector: string;
  readonly stream: string;
  readonly mode: string;
  readonly status: OutcomeStatus;
  /** What it was given, or would be; null: not known. */
  readonly in: ShownRecords | null;
  /** Those that failed. */
  readonly attempts: readonly Attempt[];
  readonly next_attempt_at: string | null;
  /** Of what was delivered, the time by which it was; null: not known. */
  readonly delivered_by: string | null;
  readonly dead_letter_ids: readonly string[];
}

/** One thing that happened to a record, or is to happen. */
export interface TrailEvent {
  readonly at: string;
  readonly type:
    | "received"
    | "logged"
    | "attempt_failed"
    | "next_attempt"
    | "dead_lettered"
    | "corrected"
    | "replayed"
    | "discarded"
    | "delivered";
  readonly step: string | null;
  readonly destination: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly dead_letter_id: string | null;
}

/** What came of it at each destination that it reaches, in their order. */
export function outcomesOf(trail: Trail): Outcome[] {
  const { integration, way, letters, retries, run } = trail;
  return (integration?.destinations ?? []).flatMap(({ id, connector, stream, mode }) => {
    const own = letters.filter(({ destination }) => destination === id);
    const due = retries.filter(({ letter }) => letter.destination === id);
    const given = way?.destinations.find(({ destination }) => destination === id)?.in ?? null;
    if (way !== null && given === null && own.length + due.length === 0) return [];
    if (way === null && own.length + due.length === 0 && !mayReach(id, trail)) return [];
    const status = statusAt(id, own, due, trail);
    const attempts = [...own, ...due.map(({ letter }) => letter)].flatMap(({ attempts }) => attempts);
    return {
      ...{ destination: id, connector, stream, mode, status, in: given, attempts },
      next_attempt_at: due[0] ? new Date(Math.min(...due.map(({ dueAt }) => dueAt))).toISOString() : null,
      delivered_by: status === "delivered" ? (run?.finishedAt ?? new Date()).toISOString() : null,
      dead_letter_ids: own.map((letter) => letter.id),
    };
  });
}

/** Where the steps are not known, what entered at one destination, or was not refused before. */
function mayReach(id: string, { item, letters }: Trail): boolean {
  if (item === null || letters.some(({ destination }) => destination === null)) return false;
  const { failure, replay } = item;
  if (failure !== undefined) return false;
  return replay?.entry.at !== "destination" || replay.entry.id === id;
}

function statusAt(
  id: string,
  letters: readonly DeadLetterRow[],
  due: readonly ScheduledRetry[],
  { item, run, integration }: Trail,
): OutcomeStatus {
  if (due.length > 0) return "retrying";
  if (letters.some(({ resolved }) => !resolved)) return "dead_lettered";
  const [letter] = letters;
  if (letter) return letter.resolution === "discarded" ? "discarded" : "replayed";
  if (item === null) return "unknown";
  const isLogged = (integration?.destinations.length ?? 0) > 1;
  const isThrough = item.throughSteps && (!isLogged || item.throughDestinations[id] === true);
  const isGivenUp = item.fullRead && (run?.status === "failed" || run?.status === "cancelled");
  if (isGivenUp) return isThrough ? "unknown" : "dropped";
  return isThrough ? "delivered" : "waiting";
}

export type RecordStatus = OutcomeStatus | "filtered" | "aggregated";

/** What of all its outcomes wants attention first. */
const order = ["dead_lettered", "retrying", "waiting", "dropped", "unknown", "replayed", "discarded"] as const;

export function statusOf({ item, letters, way }: Trail, outcomes: readonly Outcome[]): RecordStatus {
  const refused = letters.filter(({ destination }) => destination === null);
  if (refused.some(({ resolved }) => !resolved)) return "dead_lettered";
  const all = new Set<OutcomeStatus>(outcomes.map(({ status }) => status));
  for (const { resolution } of refused) if (resolution !== null) all.add(resolution);
  const first = order.find((status) => all.has(status));
  if (first) return first;
  if (all.size > 0) return "delivered";
  if (item !== null && !item.throughSteps) return "waiting";
  if (way === null) return "unknown";
  return way.status === "aggregated" ? "aggregated" : "filtered";
}

/** What happened, and is to happen, in the order of time. */
export function eventsOf({ item, letters, retries }: Trail, outcomes: readonly Outcome[]): TrailEvent[] {
  const none = { step: null, destination: null, code: null, message: null, dead_letter_id: null };
  const events: TrailEvent[] = [];
  const add = (at: string | Date | number, type: TrailEvent["type"], more: Partial<TrailEvent> = {}) =>
    events.push({ ...none, at: new Date(at).toISOString(), type, ...more });
  if (item) {
    add(item.ingestedAt, "received");
    add(item.loggedAt, "logged", { message: `message ${item.sequence} of the log` });
  }
  for (const { letter } of retries) {
    for (const { at, code, message } of letter.attempts) {
      add(at, "attempt_failed", { destination: letter.destination, code, message });
    }
  }
  for (const letter of letters) {
    const { id, step, destination, code, message, attempts, lastAttemptedAt } = letter;
    const place = { step, destination, dead_letter_id: id };
    for (const each of attempts) add(each.at, "attempt_failed", { ...place, code: each.code, message: each.message });
    add(lastAttemptedAt, "dead_lettered", { ...place, code, message });
    if (letter.correctedAt) add(letter.correctedAt, "corrected", { ...place, message: `by ${letter.correctedBy}` });
    if (letter.resolvedAt && letter.resolution)
      add(letter.resolvedAt, letter.resolution, { ...place, message: letter.resolutionReason });
  }
  for (const { destination, next_attempt_at, delivered_by } of outcomes) {
    if (next_attempt_at) add(next_attempt_at, "next_attempt", { destination });
    if (delivered_by) add(delivered_by, "delivered", { destination, message: "by this time at the latest" });
  }
  return events.sort((a, b) => a.at.localeCompare(b.at));
}
