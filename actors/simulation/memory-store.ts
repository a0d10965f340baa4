import type { Json, JsonSchema } from "../../connectors/sdk/index.ts";
import type { LogKind } from "../../runtime/ports/log.ts";
import type { QuotaKey } from "../../runtime/ports/quotas.ts";
import type { RetryStore, ScheduledRetry } from "../../runtime/ports/retries.ts";
import type {
  Checkpoint,
  IntegrationRow,
  LogEnds,
  LogIdentity,
  NewDeadLetter,
  RunRow,
  RunStore,
  SchemaStore,
  Settlement,
  Store,
  StoredGroup,
  StreamKey,
} from "../../runtime/ports/store.ts";
import type { SuspectKey } from "../../runtime/ports/suspects.ts";
import type { Life } from "./life.ts";

/** What a database keeps of one integration, over all lives of its clients. */
export class MemoryTables {
  readonly integrations = new Map<number, IntegrationRow>();
  readonly runs = new Map<string, RunRow>();
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly deadLetters = new Map<string, NewDeadLetter>();
  /** The current schema of every stream. */
  schema: JsonSchema | null = null;
  epoch = 0;
  logs: LogIdentity | null = null;
  ends: LogEnds | null = null;
  /** By source. */
  readonly cursors = new Map<string, unknown>();
  /** Open windows, by step and key. */
  readonly groups = new Map<string, StoredGroup>();
  /** When idempotency keys were seen, by destination and key. */
  readonly processed = new Map<string, number>();
  /** Records that wait for a later try, by id. */
  readonly retries = new Map<string, ScheduledRetry>();
  /** How often what is suspect was taken in hand, and not let go. */
  readonly suspects = new Map<string, number>();
  /** What has been used of the rate limits, by destination. */
  readonly quotas = new Map<string, { readonly state: Json; readonly revision: number }>();
}

/** What the server does at its own time, and what is told before it happens; all of it may be left out. */
export interface StoreScript {
  /** A chance, 0 to 1, that a commit's answer is an error: in half of the cases it was made. */
  readonly failing?: () => number;
  /** Why the server does not take what it is given, or undefined. */
  readonly refuses?: (settlement: Settlement) => string | undefined;
  /** Goes on when it resolves. */
  readonly beforeCommit?: (settlements: readonly Settlement[]) => Promise<void>;
  /** Before checkpoints are told. */
  readonly beforeLoad?: () => Promise<void>;
  /** Before what is suspect is noted, or let go. */
  readonly beforeNote?: () => Promise<void>;
}

/** The part of a store that an integration's actors ask. */
export function memoryStore(tables: MemoryTables, life: Life, script: StoreScript): Store {
  const unavailable = () => new Error("the store is away");
  const schemas: Pick<SchemaStore, "current" | "add" | "recordDrift"> = {
    current: async (stream: StreamKey) => {
      await life.delay();
      const { schema } = tables;
      return schema === null ? null : { stream, version: 1, schema, seenAt: new Date(life.clock.now()) };
    },
    add: async () => {
      await life.delay();
      return 1;
    },
    recordDrift: () => life.delay(),
  };
  const retriesOf = async (wanted: (retry: ScheduledRetry) => boolean) => {
    await life.delay();
    return structuredClone([...tables.retries.values()].filter(wanted).sort((a, b) => a.dueAt - b.dueAt));
  };
  const retries: RetryStore = {
    waiting: async (_id, destination) => {
      const all = await retriesOf(({ letter }) => letter.destination === destination);
      return { count: all.length, nextDue: all[0]?.dueAt ?? null };
    },
    due: async (_id, destination, until, { records }) =>
      (await retriesOf(({ letter, dueAt }) => letter.destination === destination && dueAt <= until)).slice(0, records),
    orphaned: async (_id, destinations, { records }) =>
      (await retriesOf(({ letter }) => !destinations.includes(letter.destination))).slice(0, records),
    ofRecord: async (_id, recordId) => retriesOf(({ letter }) => letter.recordId === recordId),
    dropRead: async (_id, runId) => {
      for (const { letter } of await retriesOf(({ letter, fullRead }) => fullRead && letter.runId < runId)) {
        tables.retries.delete(letter.id);
      }
    },
  };
  const part = {
    retries,
    integrations: {
      get: async () => {
        await life.delay();
        return [...tables.integrations.values()].at(-1) ?? null;
      },
      version: async (_id: string, version: number) => {
        await life.delay();
        return tables.integrations.get(version) ?? null;
      },
    },
    runs: {
      running: async () => {
        await life.delay();
        return [...tables.runs.values()].filter(({ status }) => status === "running");
      },
      get: async (id: string) => {
        await life.delay();
        return structuredClone(tables.runs.get(id) ?? null);
      },
      finish: async (id: string, end: Pick<RunRow, "status" | "error" | "counts">) => {
        await life.delay();
        const run = tables.runs.get(id);
        if (run?.status !== "running") return false;
        const finishedAt = new Date(life.clock.now());
        tables.runs.set(id, { ...run, ...structuredClone(end), finishedAt, waiting: null });
        return true;
      },
      openEvent: async ({
        integrationId,
        integrationVersion,
        trigger,
        runId: id,
      }: Parameters<RunStore["openEvent"]>[0]) => {
        await life.delay();
        if ([...tables.runs.values()].some(({ status }) => status === "running")) return null;
        const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
        const run = { id, integrationId, integrationVersion, trigger, status: "running" as const };
        const startedAt = new Date(life.clock.now());
        tables.runs.set(id, { ...run, startedAt, finishedAt: null, counts, error: null, waiting: null });
        return structuredClone(tables.runs.get(id) ?? null);
      },
      series: async () => null,
      lastCompleted: async () => new Map(),
      failedRecords: async (id: string) => {
        await life.delay();
        const letters = [...tables.deadLetters.values()].filter(({ runId }) => runId === id);
        return new Set(letters.map(({ recordId }) => recordId)).size;
      },
    },
    schedules: { fireQueued: async () => null },
    schemas,
    checkpoints: {
      owner: async () => {
        await life.delay();
        return tables.epoch === 0 ? null : { epoch: tables.epoch, logs: tables.logs, ends: tables.ends };
      },
      load: async () => {
        await life.delay();
        await script.beforeLoad?.();
        return structuredClone([...tables.checkpoints.values()]);
      },
      commit: async (settlements: readonly Settlement[]) => {
        const given = structuredClone(settlements);
        await life.delay();
        await script.beforeCommit?.(given);
        const fail = script.failing?.() ?? 0;
        const chance = life.random();
        if (chance < fail / 2) throw unavailable();
        const stale: string[] = [];
        const unwritable: { integrationId: string; reason: string }[] = [];
        for (const settlement of given) {
          const { integrationId, epoch, run, checkpoints, deadLetters, groups, processed, ...more } = settlement;
          if (epoch < tables.epoch) {
            stale.push(integrationId);
            continue;
          }
          const reason = script.refuses?.(settlement);
          if (reason !== undefined) {
            unwritable.push({ integrationId, reason });
            continue;
          }
          tables.epoch = epoch;
          tables.logs = more.logs ?? tables.logs;
          const known = more.logs ? null : tables.ends;
          if (more.ends) {
            const ends = (kind: LogKind) => Math.max(more.ends?.[kind] ?? 0, known?.[kind] ?? 0);
            tables.ends = { ingest: ends("ingest"), deliver: ends("deliver") };
          } else tables.ends = known;
          const row = run && tables.runs.get(run.id);
          if (run && row?.status === "running") {
            tables.runs.set(row.id, { ...row, counts: run.counts, waiting: run.waiting });
          }
          for (const checkpoint of checkpoints) tables.checkpoints.set(checkpoint.consumer, checkpoint);
          for (const letter of deadLetters) tables.deadLetters.set(letter.id, letter);
          for (const id of more.retried ?? []) tables.retries.delete(id);
          for (const retry of more.retries ?? []) tables.retries.set(retry.letter.id, retry);
          for (const { destination, keys } of processed ?? []) {
            for (const key of keys) tables.processed.set(`${destination} ${key}`, life.clock.now());
          }
          for (const group of groups) {
            const id = JSON.stringify([group.step, group.key]);
            if (group.state === null) tables.groups.delete(id);
            else tables.groups.set(id, group);
          }
        }
        // Committed, and the answer is lost.
        if (chance < fail) throw unavailable();
        await life.delay();
        return { stale, unwritable };
      },
      saveCursor: async (_id: string, source: string, cursor: unknown) => {
        await life.delay();
        tables.cursors.set(source, cursor);
      },
      loadCursor: async (_id: string, source: string) => {
        await life.delay();
        return tables.cursors.get(source) ?? null;
      },
      loadGroups: async () => {
        await life.delay();
        return structuredClone([...tables.groups.values()]);
      },
      processed: async (_id: string, destination: string, keys: readonly string[], windowMs: number) => {
        await life.delay();
        const since = life.clock.now() - windowMs;
        return keys.filter(
          (key) => (tables.processed.get(`${destination} ${key}`) ?? Number.NEGATIVE_INFINITY) > since,
        );
      },
      forgetProcessed: async (_id: string, destination: string, windowMs: number) => {
        await life.delay();
        const since = life.clock.now() - windowMs;
        for (const [key, at] of tables.processed) {
          if (at <= since && key.startsWith(`${destination} `)) tables.processed.delete(key);
        }
      },
    },
    suspects: {
      take: async ({ marks }: SuspectKey) => {
        await life.delay();
        await script.beforeNote?.();
        return marks.map((mark) => {
          const times = tables.suspects.get(mark) ?? 0;
          tables.suspects.set(mark, times + 1);
          return times;
        });
      },
      letGo: async ({ marks }: SuspectKey) => {
        await life.delay();
        await script.beforeNote?.();
        for (const mark of marks) tables.suspects.delete(mark);
      },
      left: async (_id: string, prefix: string) => {
        await life.delay();
        return [...tables.suspects.keys()].filter((mark) => mark.startsWith(prefix));
      },
    },
    quotas: {
      read: async ({ destination }: QuotaKey) => {
        await life.delay();
        const { state, revision } = tables.quotas.get(destination) ?? { state: null, revision: 0 };
        return { state, revision, now: life.clock.now() };
      },
      write: async ({ destination }: QuotaKey, state: Json, revision: number) => {
        await life.delay();
        if ((tables.quotas.get(destination)?.revision ?? 0) !== revision) return null;
        tables.quotas.set(destination, { state, revision: revision + 1 });
        return { revision: revision + 1, now: life.clock.now() };
      },
    },
  };
  return part as unknown as Store;
}
