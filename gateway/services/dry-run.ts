import type { Json } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { ReplayLetter } from "../../runtime/ports/replays.ts";
import { previewRecords, type RecordPreview, type SourceRecord } from "../../runtime/preview/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { entryOf, isOf } from "../../runtime/replay/index.ts";
import { found, refuse, type ServiceContext } from "./context.ts";
import { dryRunBody, filterOf } from "./dead-letters.ts";
import { answered, asRecord, schemaOf } from "./preview.ts";
import { within } from "./probe.ts";

/** What of a dry run is not reached in this time is not checked. */
const timeMs = 30_000;
const pageSize = 500;
const shownFailures = 20;

interface FailureCount {
  readonly code: string;
  readonly message: string;
  readonly step: string | null;
  count: number;
  /** A dead letter that fails so. */
  readonly example: string;
}

export interface DryRun {
  readonly version: number;
  /** `checked` is less where time ran out. */
  readonly total: number;
  readonly checked: number;
  readonly passed: number;
  readonly failed: number;
  /** Those that enter behind the steps: only their destination can tell. */
  readonly untried: number;
  /** The 20 most frequent. */
  readonly failures: readonly FailureCount[];
}

/** How many dead letters the current version's steps would let pass. Nothing is written; look-ups are asked. */
export function dryRunService({ store, validator, sandbox, lookups, signal: ends }: ServiceContext) {
  return async function dryRun(id: string, body: Json): Promise<DryRun> {
    refuse(validator.compile(dryRunBody)(body ?? {}));
    const row = found(await store.integrations.get(id), "integration", id);
    const integration = resolveIntegration(row.spec);
    const { dead_letter_id: one, ...fields } = (body ?? {}) as { readonly dead_letter_id?: string };
    const filter = { ...filterOf(fields), ids: one === undefined ? undefined : [one] };
    const schema = await schemaOf(store, id, integration);
    const counts = { total: await store.replays.count(id, filter), checked: 0, passed: 0, failed: 0, untried: 0 };
    const failures = new Map<string, FailureCount>();
    const services = { validator, sandbox, lookups, clock: realClock };
    const end = performance.now() + timeMs;
    for (let after: string | null = null; performance.now() < end; ) {
      ends?.throwIfAborted();
      const letters: readonly ReplayLetter[] = await store.replays.unresolved(id, filter, after, pageSize);
      const last = letters.at(-1);
      if (last === undefined) break;
      after = last.id;
      const tried = letters.filter((letter) => {
        const entry = entryOf(letter, null, integration);
        return typeof entry !== "string" && entry.at === "head";
      });
      counts.checked += letters.length;
      counts.untried += letters.length - tried.length;
      if (tried.length === 0) continue;
      const input = { id, name: row.name, integration, records: tried.map(recordOf), schema };
      const { records } = await answered(() => within(timeMs, (signal) => previewRecords(input, services, signal)));
      for (const [index, record] of records.entries()) {
        const letter = tried[index]!;
        const failure = failureIn(record, letter.child);
        if (failure === undefined) counts.passed++;
        else {
          counts.failed++;
          const key = JSON.stringify([failure.step, failure.code, failure.message]);
          const known = failures.get(key);
          if (known) known.count++;
          else failures.set(key, { ...failure, count: 1, example: letter.id });
        }
      }
    }
    const shown = [...failures.values()].sort((a, b) => b.count - a.count).slice(0, shownFailures);
    return { version: row.version, ...counts, failures: shown };
  };
}

function recordOf({ raw, corrected, position }: ReplayLetter): SourceRecord {
  try {
    return asRecord(parseJson(corrected ?? Buffer.from(raw).toString()), position);
  } catch {
    return { position, value: undefined, message: "is no JSON" };
  }
}

/** Of the child that the dead letter is of. */
function failureIn({ failure, steps }: RecordPreview, letterChild: string) {
  if (failure !== null) return { step: null, code: failure.code, message: failure.message };
  for (const { step, failures } of steps) {
    const own = failures.find(({ child, on_error }) => on_error !== "drop" && isOf(letterChild, child));
    if (own) return { step, code: own.code, message: own.message };
  }
  return undefined;
}
