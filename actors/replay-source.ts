import type { Cursor, ReadBatch, ReadFailure, Source } from "../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedSource } from "../runtime/config/index.ts";
import { recordId } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { BatchHeader, HookHeader, Log, ReplayedLetter, ReplayHeader } from "../runtime/ports/log.ts";
import type { JobRow, ReplayLetter } from "../runtime/ports/replays.ts";
import type { RunRow, Store } from "../runtime/ports/store.ts";
import { parseJson } from "../runtime/record/index.ts";
import { type Entry, entryOf } from "../runtime/replay/index.ts";
import { sinkName } from "./balance.ts";
import { persist } from "./persist.ts";

/**
 * What a replay's batches are known by in the log: each run has a cursor of its own. Read incrementally: what a run that
 * was given up has left there is settled in the next one, since its dead letters may count as replayed already.
 */
export function replaySource({ id }: Pick<RunRow, "id">): ResolvedSource {
  return { connector: "", stream: "dead letters", mode: "incremental", cursorField: id };
}

/** A batch of a source, or of a replay. */
export interface SourceBatch extends ReadBatch {
  readonly replay?: ReplayHeader;
  readonly hooks?: HookHeader;
  /** Of each record. */
  readonly correlations?: BatchHeader["correlations"];
}

export interface ReplaySourceOptions {
  readonly store: Pick<Store, "replays">;
  readonly run: RunRow;
  readonly job: JobRow;
  readonly integration: ResolvedIntegration;
  readonly logs: { readonly ingest: Log; readonly deliver: Log };
  /** As in RunOptions. */
  readonly logged: boolean;
  readonly clock: Clock;
}

/** Where a replay stands: behind `id` among those of `entry`, of the page that begins behind `after`. */
interface Place {
  readonly after: string | null;
  readonly entry: string;
  readonly id: string;
}

const pageSize = 2_000;
const lookMs = 50;
/** How soon a job that reads slowly notices that it is to rest. */
const restMs = 500;
const lf = 10;

/**
 * The dead letters of a job, as a source: those that enter at one place together. Its pages hold what is settled too, so
 * that they are the same again after a crash. It ends early where the job is paused or cancelled.
 */
export function openReplay(
  options: ReplaySourceOptions,
  { from, batch, signal }: { from: Cursor; batch: { records: number; bytes: number }; signal: AbortSignal },
): Source {
  const { store, run, job, integration, clock } = options;
  const ask = <T>(question: () => Promise<T>) => persist(clock, signal, question);
  const running = async () => (await ask(() => store.replays.status(job.id))) === "running";
  const fetch = (after: string | null) =>
    ask(() => store.replays.page(job.id, run.integrationVersion, after, pageSize));
  const { rate } = job.options;
  const records = rate === null ? batch.records : Math.max(1, Math.min(batch.records, Math.ceil(rate / 2)));

  /** Resolves when so many may go; false where the job is to rest. */
  async function pace(count: number): Promise<boolean> {
    for (let left = rate === null ? 0 : (count / rate) * 1000; left > 0; left -= restMs) {
      await clock.sleep(Math.min(left, restMs), signal);
      if (!(await running())) return false;
    }
    return true;
  }

  async function* read(): AsyncGenerator<SourceBatch> {
    let place = from as Place | null;
    if (place === null) await drained(options, signal);
    let page = fetch(place?.after ?? null);
    for (let after = place?.after ?? null; ; ) {
      const { letters, last } = await page;
      if (last === null || !(await running())) return;
      page = fetch(last);
      // Nobody hears of a page that is not asked for any more.
      page.catch(() => {});
      for (const [key, group] of groupsOf(letters, job, integration)) {
        if (place !== null && key < place.entry) continue;
        const { id: done } = place?.entry === key ? place : { id: "" };
        const left = group.letters.filter(({ id, open }) => open && id > done);
        for (const some of cut(left, records, batch.bytes)) {
          if (!(await pace(some.length))) return;
          const cursor = { after, entry: key, id: some.at(-1)!.id } satisfies Place;
          yield batchOf(some, group.entry, job.id, run.integrationId, cursor);
        }
      }
      place = null;
      after = last;
    }
  }
  return { read, close: async () => {} };
}

interface Group {
  /** A text: why they cannot be replayed. */
  readonly entry: Entry | string;
  readonly letters: ReplayLetter[];
}

/** By where they enter and what they were read from, in an order that is the same each time. */
function groupsOf(
  letters: readonly ReplayLetter[],
  { options }: JobRow,
  integration: ResolvedIntegration,
): [string, Group][] {
  const groups = new Map<string, Group>();
  for (const letter of letters) {
    const entry = entryOf(letter, options.from, integration);
    const key = JSON.stringify([entry, letter.source]);
    const group = groups.get(key) ?? { entry, letters: [] };
    group.letters.push(letter);
    groups.set(key, group);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

function* cut(letters: readonly ReplayLetter[], records: number, bytes: number): Generator<readonly ReplayLetter[]> {
  let some: ReplayLetter[] = [];
  let size = 0;
  for (const letter of letters) {
    const more = (letter.corrected ?? letter.state ?? "").length + letter.raw.length;
    if (some.length === records || (some.length > 0 && size + more > bytes)) {
      yield some;
      some = [];
      size = 0;
    }
    some.push(letter);
    size += more;
  }
  if (some.length > 0) yield some;
}

function batchOf(
  letters: readonly ReplayLetter[],
  entry: Entry | string,
  jobId: string,
  integrationId: string,
  cursor: Cursor & Place,
): SourceBatch {
  const failures: ReadFailure[] = [];
  const lines = letters.map((letter, index) => {
    const line = typeof entry === "string" ? entry : lineOf(letter, entry);
    if (line instanceof Uint8Array) return line;
    const code = typeof entry === "string" ? "NOT_FOUND" : "VALIDATION_ERROR";
    failures.push({ index, code, message: line, raw: letter.raw });
    return Buffer.from("null");
  });
  const separator = Buffer.from("\n");
  const data = Buffer.concat(lines.flatMap((line, index) => (index === 0 ? [line] : [separator, line])));
  const replay = {
    jobId,
    entry: typeof entry === "string" ? { at: "head" as const, id: "" } : entry,
    source: letters[0]!.source,
    letters: letters.map((letter) => replayedLetter(letter, integrationId)),
  };
  const position = { base: "", offset: 0 };
  return { data, count: letters.length, cursor, position, ...(failures.length > 0 && { failures }), replay };
}

/** The record on one line; a text: why there is none. */
function lineOf({ raw, corrected, state }: ReplayLetter, { at }: Entry): Uint8Array | string {
  if (at !== "head") return Buffer.from(state ?? "null");
  if (corrected !== null) return Buffer.from(corrected);
  if (raw.length > 0 && !raw.includes(lf)) return raw;
  try {
    return Buffer.from(JSON.stringify(parseJson(Buffer.from(raw).toString())));
  } catch {
    return "is no JSON";
  }
}

/** With what makes up the record's id: where there are several sources, that is more than its place. */
function replayedLetter(
  { id, recordId: known, position: { base, ordinal }, child, source }: ReplayLetter,
  integrationId: string,
): ReplayedLetter {
  const place = { id, base, ordinal, ...(child !== "" && { child }) };
  if (ordinal < 0) return { ...place, idBase: "" };
  if (source === null || recordId(integrationId, base, ordinal) === known) return place;
  const [connector, stream] = JSON.parse(source) as unknown[];
  return { ...place, idBase: JSON.stringify([connector, stream, base]) };
}

/**
 * Waits until what earlier runs left in the logs is settled: a dead letter that a job before this one has sent on its
 * way must not be sent a second time.
 */
async function drained({ logs, logged, integration, clock }: ReplaySourceOptions, signal: AbortSignal): Promise<void> {
  const sinks = integration.destinations.map(({ id }) => sinkName(id));
  const empty = async ({ stats }: Pick<Log, "stats">, names: readonly string[]) => {
    const { consumers } = await stats();
    return names.every((name) => {
      const { pending = 0, unacknowledged = 0 } = consumers[name] ?? {};
      return pending + unacknowledged === 0;
    });
  };
  const all = async () =>
    (await empty({ stats: () => logs.ingest.stats() }, ["steps"])) &&
    (!logged || (await empty({ stats: () => logs.deliver.stats() }, sinks)));
  while (!(await all())) await clock.sleep(lookMs, signal);
}
