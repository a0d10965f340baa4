import type { Json, JsonSchema } from "../../connectors/sdk/index.ts";
import { type ResolvedIntegration, resolveIntegration } from "../../runtime/config/index.ts";
import { messageShape } from "../../runtime/errors/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { ReplayLetter, ReplayOptions } from "../../runtime/ports/replays.ts";
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
/** Kinds of failures that are told apart; what comes later is only among the failed. */
const failureKinds = 1_000;

interface FailureCount {
  readonly code: string;
  /** The example's; those of the others differ in values alone. */
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

/** What chooses dead letters, and how a replay would take them. */
interface Asked extends Partial<Pick<ReplayOptions, "from" | "version">> {
  readonly dead_letter_id?: string;
}

/** How many dead letters the steps of a version would let pass. Nothing is written; look-ups are asked. */
export function dryRunService({ store, validator, sandbox, lookups, signal: ends }: ServiceContext) {
  return async function dryRun(id: string, body: Json): Promise<DryRun> {
    refuse(validator.compile(dryRunBody)(body ?? {}));
    const row = found(await store.integrations.get(id), "integration", id);
    const { dead_letter_id: one, from = null, version = "current", ...fields } = (body ?? {}) as Asked;
    const filter = { ...filterOf(fields), ids: one === undefined ? undefined : [one] };
    const counts = { total: await store.replays.count(id, filter), checked: 0, passed: 0, failed: 0, untried: 0 };
    const failures = new Map<string, FailureCount>();
    const services = { validator, sandbox, lookups, clock: realClock };
    const known = new Map<number, Promise<Version>>();
    const versionAt = (at: number) => known.get(at) ?? known.set(at, openVersion(at)).get(at)!;

    async function openVersion(at: number): Promise<Version> {
      const spec = at === row.version ? row.spec : (await store.integrations.version(id, at))?.spec;
      if (spec === undefined) return null;
      const integration = resolveIntegration(spec);
      return { integration, schema: await schemaOf(store, id, integration) };
    }

    async function tryAll(letters: readonly ReplayLetter[], under: Version): Promise<void> {
      const tried = letters.filter((letter) => {
        const entry = under && entryOf(letter, from, under.integration);
        return entry !== null && typeof entry !== "string" && entry.at === "head";
      });
      counts.checked += letters.length;
      counts.untried += letters.length - tried.length;
      if (under === null || tried.length === 0) return;
      const input = { id, name: row.name, ...under, records: tried.map(recordOf) };
      const { records } = await answered(() => within(timeMs, (signal) => previewRecords(input, services, signal)));
      for (const [index, record] of records.entries()) {
        const letter = tried[index]!;
        const failure = failureIn(record, letter.child);
        if (failure === undefined) counts.passed++;
        else {
          counts.failed++;
          const key = JSON.stringify([failure.step, failure.code, messageShape(failure.message)]);
          const same = failures.get(key);
          if (same) same.count++;
          else if (failures.size < failureKinds) failures.set(key, { ...failure, count: 1, example: letter.id });
        }
      }
    }

    const end = performance.now() + timeMs;
    for (let after: string | null = null; performance.now() < end; ) {
      ends?.throwIfAborted();
      const letters: readonly ReplayLetter[] = await store.replays.unresolved(id, filter, after, pageSize);
      const last = letters.at(-1);
      if (last === undefined) break;
      after = last.id;
      const alike = Map.groupBy(letters, (letter) =>
        version === "original" ? letter.integrationVersion : row.version,
      );
      for (const [at, some] of alike) await tryAll(some, await versionAt(at));
    }
    const shown = [...failures.values()].sort((a, b) => b.count - a.count).slice(0, shownFailures);
    return { version: row.version, ...counts, failures: shown };
  };
}

/** Null: nobody knows it any more. */
type Version = { readonly integration: ResolvedIntegration; readonly schema: JsonSchema | null } | null;

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
