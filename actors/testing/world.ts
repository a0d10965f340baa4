import {
  ConnectorError,
  type Destination,
  type Json,
  type OutRecord,
  type Source,
} from "../../connectors/sdk/index.ts";
import { ActorSystem } from "../../runtime/actor/index.ts";
import type { Validator } from "../../runtime/ports/connectors.ts";
import type { LogKind } from "../../runtime/ports/log.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import type { Sandbox } from "../../runtime/ports/sandbox.ts";
import type { RunRow } from "../../runtime/ports/store.ts";
import { type Metrics, noTracing } from "../../runtime/ports/telemetry.ts";
import { FairShare } from "../backlog.ts";
import type { Connectors } from "../connectors.ts";
import { type IntegrationMessage, integrationProps } from "../integration.ts";
import { Settler } from "../settler.ts";
import { Vitals } from "../vitals.ts";
import { FakeLog, FakeStream, type LogFaults } from "./fake-log.ts";
import { FakeTables, fakeStore } from "./fake-store.ts";
import { Life } from "./life.ts";

/** Chances, 0 to 1. */
export interface Faults extends LogFaults {
  /** A commit's answer is an error, whether it was made or not. */
  readonly commit: number;
  /** A write throws, whether it was made or not. */
  readonly write: number;
  /** Reading throws. */
  readonly read: number;
}

export const noFaults: Faults = { redeliver: 0, loseAck: 0, commit: 0, write: 0, read: 0 };

export interface TestRecord {
  readonly n: number;
  readonly keep: boolean;
  /** Refused by every destination. */
  readonly bad: boolean;
}

export const integrationId = "01900000-0000-7000-8000-000000000001";

const validator: Validator = { compile: () => () => [] };
const sandbox: Sandbox = { run: () => Promise.reject(new Error("no script runs here")), close: async () => {} };
const metrics = new Proxy({} as Metrics, { get: () => () => {} });

/** An integration's actors on servers in memory, which outlive them. */
export class World {
  readonly tables = new FakeTables();
  readonly streams: Record<LogKind, FakeStream> = { ingest: new FakeStream(), deliver: new FakeStream() };
  /** What the destinations hold, by their stream: how often each record was written. */
  readonly landed = new Map<string, Map<number, number>>();
  /** What the source has: batches of records. */
  batches: readonly (readonly TestRecord[])[] = [];
  faults: Faults = noFaults;
  /** The store takes no commits. */
  away = false;
  /** Called before each write. */
  beforeWrite: (stream: string, records: readonly OutRecord[]) => void | Promise<void> = () => {};
  #now = 0;
  #seed: number;

  constructor(spec: Record<string, Json>, seed = 1) {
    this.#seed = seed;
    this.change(1, spec);
  }

  change(version: number, spec: Record<string, Json>): void {
    const row = { id: integrationId, name: "test", spec, enabled: true, version, owner: null };
    this.tables.integrations.set(version, { ...row, createdAt: new Date(0), updatedAt: new Date(0) });
  }

  /** Opens a run; its id sorts behind those before it. */
  open(integrationVersion = 1): string {
    const id = `01900000-0000-7000-9000-${String(this.tables.runs.size).padStart(12, "0")}`;
    const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
    const run = { id, integrationId, integrationVersion, trigger: "manual" as const, status: "running" as const };
    this.tables.runs.set(id, { ...run, startedAt: new Date(0), finishedAt: null, counts, error: null, waiting: null });
    return id;
  }

  run(id: string): RunRow {
    return this.tables.runs.get(id) as RunRow;
  }

  get running(): boolean {
    return [...this.tables.runs.values()].some(({ status }) => status === "running");
  }

  start(): Incarnation {
    const life = new Life(this.#now, this.#seed++);
    const store = fakeStore(this.tables, life, () => (this.away ? 2 : this.faults.commit));
    const settler = new Settler(store.checkpoints, life.clock);
    settler.start();
    const system = new ActorSystem({ clock: life.clock });
    const ref = system.spawn<IntegrationMessage>(
      integrationProps({
        integrationId,
        store,
        settler,
        share: new FairShare(),
        connectors: this.#connectors(life),
        metrics,
        tracing: noTracing,
        logger: noLogger,
        vitals: new Vitals("test", []),
        validator,
        sandbox,
        space: { reason: null, available: async () => {} },
        logs: {
          open: async (_id, kind) => {
            await life.delay();
            return new FakeLog(this.streams[kind], life, this.faults);
          },
          remove: async () => {},
          status: { connected: true, reason: undefined },
        },
        health: () => {},
      }),
      "integration",
    );
    const keepTime = () => {
      this.#now = life.clock.now();
    };
    return {
      tell: (message) => ref.tell(message),
      advance: async (ms, until = () => false) => {
        for (const end = life.clock.now() + ms; life.clock.now() < end && !until(); ) await life.clock.advance(5);
        keepTime();
      },
      kill: () => {
        life.end();
        // What the server would only remember for its duplicate window is forgotten.
        for (const stream of Object.values(this.streams)) stream.ids.clear();
      },
      stop: async () => {
        let stopped = false;
        void system
          .shutdown()
          .then(() => settler.stop())
          .then(() => {
            stopped = true;
          });
        const begun = life.clock.now();
        while (!stopped && life.clock.now() < begun + 60_000) await life.clock.advance(5);
        keepTime();
        life.end();
        return life.clock.now() - begun;
      },
    };
  }

  #connectors(life: Life): Connectors {
    return {
      source: async (_name, { from }) => {
        await life.delay();
        return this.#source(life, typeof from === "number" ? from : 0);
      },
      destination: async (_name, { stream }) => {
        await life.delay();
        return { destination: this.#destination(life, stream), type: "fake" };
      },
    };
  }

  #source(life: Life, from: number): Source {
    const { batches, faults } = this;
    async function* read() {
      for (let at = from; at < batches.length; at++) {
        await life.delay();
        if (life.random() < faults.read) throw new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
        const records = batches[at] as readonly TestRecord[];
        const data = Buffer.from(records.map((record) => JSON.stringify(record)).join("\n"));
        yield { data, count: records.length, cursor: at + 1, position: { base: `batch ${at}`, offset: 1 } };
      }
    }
    return { read, close: async () => {} };
  }

  #destination(life: Life, stream: string): Destination {
    const held = this.landed.get(stream) ?? new Map<number, number>();
    this.landed.set(stream, held);
    return {
      concurrency: 2,
      write: async ({ records }) => {
        await this.beforeWrite(stream, records);
        await life.delay();
        const chance = life.random();
        const away = () => new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
        if (chance < this.faults.write / 2) throw away();
        const failed: { index: number; code: "BUSINESS_RULE"; message: string }[] = [];
        for (const [index, { value }] of records.entries()) {
          const { n, bad } = value as unknown as TestRecord;
          if (bad) failed.push({ index, code: "BUSINESS_RULE", message: "refused" });
          else held.set(n, (held.get(n) ?? 0) + 1);
        }
        if (chance < this.faults.write) throw away();
        await life.delay();
        return { failed };
      },
      complete: async () => life.delay(),
      close: async () => {},
    };
  }
}

export interface Incarnation {
  tell(message: IntegrationMessage): void;
  /** Lets time pass, in steps of 5 ms, until `until` holds. */
  advance(ms: number, until?: () => boolean): Promise<void>;
  /** As `kill -9` does. */
  kill(): void;
  /** Stops in order; returns how many milliseconds it took, 60,000 where it did not end. */
  stop(): Promise<number>;
}
