import { addStepCounts } from "../runtime/pipeline/index.ts";
import {
  type DestinationLedger,
  type Ledger,
  noDestinationLedger,
  noStepCounts,
  type StepCounts,
} from "../runtime/ports/ledger.ts";
import type { ScheduledRetry } from "../runtime/ports/retries.ts";
import type { DestinationCounts, NewDeadLetter, RunCounts } from "../runtime/ports/store.ts";

/** What a log message adds to its run's ledger, besides the dead letters and what was put off: those the ledger counts as they enter it. */
export interface LedgerChange {
  readonly steps?: ReadonlyMap<string, StepCounts>;
  readonly destinations: ReadonlyMap<string, DestinationChange>;
}

interface DestinationChange {
  /** Handed on by the steps. */
  readonly published: number;
  /** Out of the last log before the destination. */
  readonly taken: number;
  readonly confirmed: number;
}

/** `own`: the message is of this run, not one that an earlier run left in the log. */
export function addOutcome(ledger: Ledger, { change, deadLetters, retries = [] }: Counted, own: boolean): void {
  if (own) for (const [step, counts] of change?.steps ?? []) addStepCounts(stepIn(ledger, step), counts);
  for (const [id, { published, taken, confirmed }] of change?.destinations ?? []) {
    if (!own && taken === 0) continue;
    const destination = destinationIn(ledger, id);
    destination.confirmed += confirmed;
    if (own) {
      destination.published += published;
      destination.pending += published - taken;
    } else destination.inherited += taken;
  }
  for (const letter of deadLetters) if (own || letter.destination !== null) countFailed(ledger, letter);
  for (const { letter } of retries) destinationIn(ledger, letter.destination).deferred++;
}

/** Of what settling a message changes. */
interface Counted {
  readonly change?: LedgerChange | undefined;
  readonly deadLetters: readonly NewDeadLetter[];
  readonly retries?: readonly ScheduledRetry[] | undefined;
}

interface Tried {
  readonly tried: readonly ScheduledRetry[];
  readonly retries: readonly ScheduledRetry[];
  readonly deadLetters: readonly NewDeadLetter[];
}

/** What came of records that had been put off, by this run or an earlier one. */
export function addRetries(ledger: Ledger, runId: string, { tried, retries, deadLetters }: Tried): void {
  const again = new Set(retries.map(({ letter }) => letter.id));
  const failed = new Set(deadLetters.map(({ id }) => id));
  for (const { letter } of tried) {
    if (again.has(letter.id)) continue;
    const destination = destinationIn(ledger, letter.destination);
    if (letter.runId === runId) destination.deferred--;
    else destination.inherited++;
    if (!failed.has(letter.id)) destination.confirmed++;
  }
  for (const letter of deadLetters) countFailed(ledger, letter);
}

function countFailed(ledger: Ledger, { step, destination }: NewDeadLetter): void {
  if (destination === null) stepIn(ledger, step ?? "source").failed++;
  else destinationIn(ledger, destination).failed++;
}

function stepIn({ steps }: Ledger, id: string): StepCounts {
  if (!Object.hasOwn(steps, id)) steps[id] = noStepCounts();
  return steps[id] as StepCounts;
}

/** What stands under a name: `constructor` is one as any other. */
export function own<T>(values: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** What of a run went to a destination. */
export function countsOf({ byDestination }: RunCounts, id: string): DestinationCounts {
  if (!Object.hasOwn(byDestination, id)) byDestination[id] = { out: 0, failed: 0 };
  return byDestination[id] as DestinationCounts;
}

function destinationIn({ destinations }: Ledger, id: string): DestinationLedger {
  if (!Object.hasOwn(destinations, id)) destinations[id] = noDestinationLedger();
  return destinations[id] as DestinationLedger;
}
