import type { Checkpoint, IntegrationRow, NewDeadLetter, RunRow, Store } from "../../runtime/ports/store.ts";
import type { Life } from "./life.ts";

/** What a database keeps of one integration. */
export class FakeTables {
  readonly integrations = new Map<number, IntegrationRow>();
  readonly runs = new Map<string, RunRow>();
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly deadLetters = new Map<string, NewDeadLetter>();
  epoch = 0;
  cursor: unknown = null;
}

/**
 * The part of a store that an integration's actors ask. `failing` is the chance that a commit's answer is an error: in half
 * of the cases it was made.
 */
export function fakeStore(tables: FakeTables, life: Life, failing: () => number): Store {
  const unavailable = () => new Error("the store is away");
  const part = {
    integrations: {
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
        tables.runs.set(id, { ...run, ...structuredClone(end), finishedAt: new Date(0), waiting: null });
        return true;
      },
      failedRecords: async (id: string) => {
        await life.delay();
        const letters = [...tables.deadLetters.values()].filter(({ runId }) => runId === id);
        return new Set(letters.map(({ recordId }) => recordId)).size;
      },
    },
    schedules: { fireQueued: async () => null },
    schemas: {
      current: async () => {
        await life.delay();
        return null;
      },
      add: async () => {
        await life.delay();
        return 1;
      },
      recordDrift: () => life.delay(),
    },
    checkpoints: {
      load: async () => {
        await life.delay();
        return structuredClone([...tables.checkpoints.values()]);
      },
      commit: async (settlements: Parameters<Store["checkpoints"]["commit"]>[0]) => {
        const given = structuredClone(settlements);
        await life.delay();
        const chance = life.random();
        const fail = failing();
        if (chance < fail / 2) throw unavailable();
        const stale: string[] = [];
        for (const { integrationId, epoch, run, checkpoints, deadLetters } of given) {
          if (epoch < tables.epoch) {
            stale.push(integrationId);
            continue;
          }
          tables.epoch = epoch;
          const row = run && tables.runs.get(run.id);
          if (row?.status === "running") {
            tables.runs.set(row.id, { ...row, counts: run!.counts, waiting: run!.waiting });
          }
          for (const checkpoint of checkpoints) tables.checkpoints.set(checkpoint.consumer, checkpoint);
          for (const letter of deadLetters) tables.deadLetters.set(letter.id, letter);
        }
        // Committed, and the answer is lost.
        if (chance < fail) throw unavailable();
        await life.delay();
        return { stale };
      },
      saveCursor: async (_id: string, cursor: unknown) => {
        await life.delay();
        tables.cursor = cursor;
      },
      loadCursor: async () => {
        await life.delay();
        return tables.cursor;
      },
    },
  };
  return part as unknown as Store;
}
