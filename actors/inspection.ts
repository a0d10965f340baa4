import { resolveIntegration } from "../runtime/config/index.ts";
import type { Log, LoggedHeader, LogKind, LogStats } from "../runtime/ports/log.ts";
import type { Checkpoint, LogEnds, LogIdentity, Store } from "../runtime/ports/store.ts";
import { sinkName } from "./balance.ts";
import { sourceSubject } from "./intake.ts";
import { KeyRanges } from "./key-ranges.ts";
import { type Progress, RunLedger } from "./ledger.ts";
import type { Loss, Rewind } from "./loss.ts";
import { isForgotten, isSettled } from "./settled-keys.ts";
import { tickSubject } from "./ticker.ts";
import { disorder } from "./trim.ts";

export type Logs = { readonly [kind in LogKind]: Log };

export interface Inspection {
  /** Which logs there are, for the store to remember. */
  readonly identity: LogIdentity;
  readonly losses: readonly Loss[];
}

export interface InspectionOptions {
  readonly integrationId: string;
  readonly store: Pick<Store, "checkpoints" | "integrations" | "runs">;
}

/** How far below its ack floor a consumer is looked at: further than what it may have unacknowledged, in messages. */
const lookBack = 1_000;

/** What logs and store remember of an integration. */
interface View {
  readonly logs: Logs;
  readonly stats: { readonly [kind in LogKind]: LogStats };
  readonly checkpoints: readonly Checkpoint[];
  readonly destinations: readonly string[];
  /** What is settled, by consumer. */
  readonly settled: (consumer: string) => ReturnType<RunLedger["consumer"]>;
  /** How far a consumer came in the run that it settled last. */
  readonly progress: (consumer: string) => Progress;
}

/**
 * Compares what logs and store remember. Both keep what they confirmed, so that where they do not agree one of them was
 * lost, or restored from an earlier state:
 *
 * - The store knows which logs it was kept beside: others were made anew.
 * - A log that ends before what the store has seen of it, or before what the deliveries were made of, is an older one.
 * - Nothing is acknowledged before its commit: what is acknowledged and not settled, the store has forgotten.
 *
 * `owned`: the logs were taken over just now, by these messages.
 */
export async function inspect(
  { integrationId, store }: InspectionOptions,
  logs: Logs,
  owned?: LogEnds,
): Promise<Inspection> {
  // In this order, since a former owner may still be at work: what is acknowledged here is in the checkpoints then.
  const [ingest, deliver] = await Promise.all([logs.ingest.stats(), logs.deliver.stats()]);
  const identity = { ingest: ingest.born, deliver: deliver.born };
  const [owner, checkpoints, row] = await Promise.all([
    store.checkpoints.owner(integrationId),
    store.checkpoints.load(integrationId),
    store.integrations.get(integrationId),
  ]);
  // A store of a version that kept no identities: nothing can be told.
  if (owner && !owner.logs) return { identity, losses: [] };
  const ledger = (id: string) => {
    const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
    return new RunLedger({ id, integrationId, counts }, 0, checkpoints);
  };
  const anyRun = ledger("");
  const view: View = {
    logs,
    stats: { ingest, deliver },
    checkpoints,
    destinations: row ? resolveIntegration(row.spec).destinations.map(({ id }) => id) : [],
    settled: (name) => anyRun.consumer(name),
    progress: (name) => {
      const stored = checkpoints.find(({ consumer }) => consumer === name)?.progress as Progress | null | undefined;
      return ledger(stored?.runId ?? "").consumer(name).progress;
    },
  };
  if (owner?.logs && owner.logs.ingest !== identity.ingest) return { identity, losses: [ingestLoss(view, "log_lost")] };
  /** Looked at again: it may have gone on since. */
  const endsBefore = async (kind: LogKind, known: number) => {
    if (owned) return known >= owned[kind];
    return known > view.stats[kind].last && known > (await logs[kind].stats()).last;
  };
  const delivered = await deliveredTo(view);
  const known = Math.max(owner?.epoch ?? 0, owner?.ends?.ingest ?? 0, settledTo(view), delivered);
  if (await endsBefore("ingest", known)) {
    return { identity, losses: [ingestLoss(view, "log_older")] };
  }
  const older = await storeLoss(view);
  const history = await historyLoss(view, older !== undefined, async (id) => (await store.runs.get(id)) !== null);
  const losses: (Loss | undefined)[] = [older];
  const logged = isLogged(view);
  if (logged && owner?.logs && owner.logs.deliver !== identity.deliver) {
    losses.unshift(await deliverLoss(view, "deliver_log_lost"));
  } else if (logged && (await endsBefore("deliver", owner?.ends?.deliver ?? 0))) {
    losses.unshift(await deliverLoss(view, "deliver_log_older"));
  } else if (logged && (older ?? history) && (await areDeliveriesMissing(view))) {
    losses.unshift(await deliverLoss(view, "deliveries_lost"));
  }
  // What is taken through the steps again says itself what of them is settled.
  losses.push(history && losses[0]?.checkpoints.length ? { ...history, checkpoints: [] } : history);
  return { identity, losses: losses.filter((loss) => loss !== undefined) };
}

function settledTo({ settled }: View): number {
  return settled("steps").settled.bounds.at(-1) ?? 0;
}

/** One destination alone has the deliver log in use where there were several before, in the latest run. */
function isLogged({ destinations, progress }: View): boolean {
  const { runId } = progress("steps");
  const sinks = destinations.map((id) => progress(sinkName(id)));
  return destinations.length > 1 || sinks.some((sink) => sink.runId === runId && sink.sequences !== null && !sink.done);
}

/** The latest message of the ingest log that a delivery was made of. */
async function deliveredTo({ logs: { deliver } }: View): Promise<number> {
  const lasts = await Promise.all((await deliver.subjects()).map((subject) => deliver.last(subject)));
  return Math.max(0, ...lasts.map((last) => last?.ingestSequence ?? 0));
}

/** Nothing can be delivered again but from the sources: each goes on from its cursor of the last run that ended whole. */
function ingestLoss(view: View, kind: "log_lost" | "log_older"): Loss {
  const { batches, records, runId, sent } = view.progress("steps");
  const what =
    kind === "log_lost"
      ? "its log was lost: nats-server had none, or one that was made anew."
      : "its log is older than what was settled: nats-server was restored from an earlier state, or lost what it had confirmed. It was begun anew.";
  const settled = `Its last run had settled ${records} records, up to sequence ${settledTo(view)}.`;
  const undelivered = view.destinations.flatMap((id) => {
    const waiting = view.destinations.length < 2 ? 0 : (sent[id] ?? 0) - view.progress(sinkName(id)).records;
    return waiting > 0 ? [`${waiting} records had been passed on to ${id} and were not delivered.`] : [];
  });
  const next = "Sources go on from their cursors of the last run that ended whole, and read again what came after it.";
  return {
    kind,
    message: [what, ...(batches > 0 ? [settled] : []), ...undelivered, next].join(" "),
    runs: new Set(batches > 0 ? [runId] : []),
    rewinds: [],
    checkpoints: [],
  };
}

const deliveriesGone = {
  deliver_log_lost:
    "the log of what it had passed on to its destinations was lost: nats-server had none, or one that was made anew.",
  deliver_log_older:
    "the log of what it had passed on to its destinations has lost its end: nats-server was restored from an earlier state, or lost what it had confirmed. It was begun anew.",
  deliveries_lost:
    "the log of what it had passed on to its destinations was trimmed after the state that Postgres was restored from: what that state does not know to be delivered is not there any more.",
};

/** The ingest log still has what the deliveries were made of: they are made again, for those that have not settled them. */
async function deliverLoss(view: View, kind: keyof typeof deliveriesGone): Promise<Loss> {
  const { logs, checkpoints, destinations, settled, progress } = view;
  const steps = progress("steps");
  const what = deliveriesGone[kind];
  const loss = { kind, rewinds: [], checkpoints: [] };
  const whole = [steps, ...destinations.map((id) => progress(sinkName(id)))];
  if (whole.every(({ done, runId }) => done && runId === steps.runId)) {
    return { ...loss, message: `${what} All of it had been delivered.`, runs: new Set() };
  }
  const runs = new Set(steps.batches > 0 ? [steps.runId] : []);
  const { bounds } = settled("steps").settled;
  const from = await first(logs.ingest, subjectsOf("ingest", "steps"), 0, (message) => {
    if (!isSettled(settled("steps"), message)) return false;
    return destinations.some((id) => !isDelivered(settled(sinkName(id)), message));
  });
  if (from === undefined) return { ...loss, message: `${what} Nothing of it was waiting.`, runs };
  const ranges: number[] = [];
  for (let at = 0; at < bounds.length; at += 2) {
    const [low, high] = [bounds[at] as number, bounds[at + 1] as number];
    if (low < from) ranges.push(low, Math.min(high, from - 1));
  }
  return {
    ...loss,
    message: `${what} What its ingest log holds from sequence ${from} on is taken through the steps again, for the destinations that have not had it.`,
    runs,
    rewinds: [{ log: "ingest", consumer: "steps", from }],
    checkpoints: checkpoints.flatMap((one) => (one.consumer === "steps" ? [{ ...one, settled: ranges }] : [])),
  };
}

/** Of what comes out otherwise each time nobody knows what there was: what is far behind the latest was delivered. */
export function isDelivered(state: Parameters<typeof isSettled>[0], message: LoggedHeader): boolean {
  if (isSettled(state, message)) return true;
  return state.versions.bounds.length > 0 && message.sequence < Math.max(...state.parts.keys()) - disorder;
}

/** What was acknowledged and is not settled here is delivered again, and settled as it was before. */
async function storeLoss({ logs, stats, settled }: View): Promise<Loss | undefined> {
  const rewinds: Rewind[] = [];
  const runs = new Set<string>();
  const ranges: string[] = [];
  for (const log of ["ingest", "deliver"] as const) {
    for (const [consumer, { ackFloor }] of Object.entries(stats[log].consumers)) {
      const state = settled(consumer);
      const subjects = subjectsOf(log, consumer);
      const unknown = (message: LoggedHeader) =>
        message.sequence <= ackFloor && !isForgotten(state, message) && !isSettled(state, message);
      const back = lookBack * Object.keys(stats[log].consumers).length;
      if ((await first(logs[log], subjects, ackFloor - back, unknown)) === undefined) continue;
      let from: number | undefined;
      for await (const message of logs[log].headers(subjects, 0)) {
        if (message.sequence > ackFloor) break;
        if (!unknown(message)) continue;
        from ??= message.sequence;
        runs.add(message.header.runId);
      }
      if (from === undefined) continue;
      rewinds.push({ log, consumer, from });
      ranges.push(`${consumer} ${from} to ${ackFloor}`);
    }
  }
  if (rewinds.length === 0) return undefined;
  const message = [
    "Postgres is older than the logs: it was restored from an earlier state.",
    `What it has forgotten is delivered again in the next run (sequences by consumer: ${ranges.join(", ")}).`,
    "Dead letters of that time are made again; its runs, fires of schedules and what was done about dead letters are gone.",
  ].join(" ");
  return { kind: "store_older", message, runs, rewinds, checkpoints: [] };
}

/**
 * What was settled after the state that the store is in now, and has left the log since: nobody knows what became of it.
 * Nothing leaves the log before it is settled, but sequences alone do not tell: take-overs have some too.
 */
async function historyLoss(
  { logs, stats, checkpoints, settled, progress }: View,
  older: boolean,
  isKnown: (runId: string) => Promise<boolean>,
): Promise<Loss | undefined> {
  const from = Math.max(stats.ingest.born, (settled("steps").settled.bounds.at(-1) ?? 0) + 1);
  const found = await logs.ingest.next(sourceSubject, from - 1);
  if (found === null || found.sequence === from) return undefined;
  const { runId, kind, totals } = found.header;
  const { batches, runId: lastRun, done } = progress("steps");
  const before = totals.batches - (kind === "records" ? 1 : 0);
  let known = runId === lastRun ? batches : 0;
  if (before > known) {
    // Those that later ones overtook are in the log still.
    for await (const message of logs.ingest.headers([sourceSubject], 0)) {
      if (message.sequence >= from) break;
      const { header } = message;
      if (header.runId === runId && header.kind === "records" && !isSettled(settled("steps"), message)) known++;
    }
  }
  // Of its run there were batches that the store does not know; or whole runs were there.
  const missing = before > known;
  const to = found.sequence - 1;
  if (!missing && (to === from || !(older || !(await isKnown(runId))))) return undefined;
  const kept = checkpoints.find(({ consumer }) => consumer === "steps");
  const ranges = new KeyRanges([...(kept?.settled ?? []), from, to]);
  const message = [
    `Postgres is older than the logs, and what was settled of sequences ${from} to ${to} has left the log since (it keeps 256 MiB, or three days).`,
    "What was delivered of them is delivered. What had been put off or given up is in neither place: read it again from the source.",
  ].join(" ");
  return {
    kind: "history_lost",
    message,
    runs: new Set([runId, ...(done ? [] : [lastRun])]),
    rewinds: [],
    // Told once.
    checkpoints: [{ consumer: "steps", state: null, progress: null, ...kept, settled: [...ranges.bounds] }],
  };
}

/** Whether the deliver log has less of the latest run than what was passed on and not delivered. */
async function areDeliveriesMissing({ logs, destinations, settled, progress }: View): Promise<boolean> {
  const { runId, sent } = progress("steps");
  for (const id of destinations) {
    const sink = progress(sinkName(id));
    let waiting = (sent[id] ?? 0) - (sink.runId === runId ? sink.records : 0);
    if (waiting <= 0) continue;
    for await (const message of logs.deliver.headers([id], 0)) {
      const { header } = message;
      if (header.runId === runId && !isSettled(settled(sinkName(id)), message)) waiting -= header.count;
    }
    if (waiting > 0) return true;
  }
  return false;
}

/** Of one consumer. */
export function subjectsOf(log: LogKind, consumer: string): readonly string[] {
  return log === "ingest" ? [sourceSubject, tickSubject] : [consumer.slice(sinkName("").length)];
}

async function first(
  log: Log,
  subjects: readonly string[],
  from: number,
  wanted: (message: LoggedHeader) => boolean,
): Promise<number | undefined> {
  for await (const message of log.headers(subjects, from)) if (wanted(message)) return message.sequence;
  return undefined;
}
