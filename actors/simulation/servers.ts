import type { Json } from "../../connectors/sdk/index.ts";
import { ActorSystem, type Ref } from "../../runtime/actor/index.ts";
import type { LogKind } from "../../runtime/ports/log.ts";
import { type Logger, noLogger } from "../../runtime/ports/logger.ts";
import type { RunRow } from "../../runtime/ports/store.ts";
import { type Metrics, noTracing } from "../../runtime/ports/telemetry.ts";
import { FairShare } from "../backlog.ts";
import { type IntegrationMessage, integrationProps } from "../integration.ts";
import { Invocations } from "../invocations.ts";
import type { Services } from "../run-options.ts";
import { Settler } from "../settler.ts";
import { Vitals } from "../vitals.ts";
import type { Life } from "./life.ts";
import { type LogScript, MemoryLog, MemoryStream } from "./memory-log.ts";
import { MemoryTables, memoryStore, type StoreScript } from "./memory-store.ts";

/** What differs from one node to the next. */
export interface NodeOptions extends Pick<Services, "connectors" | "validator" | "sandbox"> {
  readonly logs: (kind: LogKind) => LogScript;
  readonly store: StoreScript;
}

export interface Node {
  readonly ref: Ref<IntegrationMessage>;
  /** In order, as at a Ctrl-C. */
  stop(): Promise<void>;
}

const noMetrics = new Proxy({} as Metrics, { get: () => () => {} });
export const integrationId = "01900000-0000-7000-8000-000000000001";

/** The servers that one integration needs, in memory. They outlive the nodes that use them. */
export class Servers {
  readonly tables = new MemoryTables();
  readonly streams: Record<LogKind, MemoryStream> = { ingest: new MemoryStream(), deliver: new MemoryStream() };
  readonly #name: string;
  logger: Logger = noLogger;
  /** How long a run is that has no end of its own, in milliseconds; undefined: an hour. */
  eventRunMs: number | undefined;
  /** Of the node that was started last. */
  vitals: Vitals;
  /** What the integration waits for, as its health has it. */
  waiting: string | null = null;
  /** What the ledger said last that does not balance. */
  imbalance: string | null = null;
  /** What was said to be lost, in turn. */
  readonly losses: string[] = [];

  /** The last of them. */
  get lost(): string | null {
    return this.losses.at(-1) ?? null;
  }

  constructor(name: string) {
    this.#name = name;
    this.vitals = new Vitals(name, []);
  }

  change(version: number, spec: Record<string, Json>): void {
    const row = { id: integrationId, name: this.#name, spec, enabled: true, version, owner: null };
    const made = {
      createdAt: new Date(0),
      updatedAt: new Date(0),
      health: "ok" as const,
      healthReason: null,
      circuits: {},
      losses: null,
      lossesSeen: null,
    };
    this.tables.integrations.set(version, { ...row, ...made });
  }

  /** Opens a run; its id sorts behind those before it. */
  open(integrationVersion: number, startedAt: Date): string {
    const id = `01900000-0000-7000-9000-${String(this.tables.runs.size).padStart(12, "0")}`;
    const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
    const run = { id, integrationId, integrationVersion, trigger: "manual" as const, status: "running" as const };
    this.tables.runs.set(id, { ...run, startedAt, finishedAt: null, counts, error: null, waiting: null });
    return id;
  }

  run(id: string): RunRow {
    return this.tables.runs.get(id) as RunRow;
  }

  /** What the servers would only remember for a while is forgotten: no id of an append is known any more. */
  forget(): void {
    for (const { ids } of Object.values(this.streams)) ids.clear();
  }

  /** The integration's actors on a node of its own. */
  start(life: Life, { connectors, validator, sandbox, logs, store: script }: NodeOptions): Node {
    const store = memoryStore(this.tables, life, script);
    const settler = new Settler(store.checkpoints, life.clock);
    settler.start();
    this.vitals = new Vitals(this.#name, []);
    const space = { reason: null, available: async () => {} };
    const system = new ActorSystem({ clock: life.clock });
    const ref = system.spawn<IntegrationMessage>(
      integrationProps({
        integrationId,
        store,
        settler,
        share: new FairShare(),
        owners: { serve: () => () => {}, maxBytes: 1024 * 1024 },
        connectors,
        metrics: noMetrics,
        tracing: noTracing,
        logger: this.logger,
        vitals: this.vitals,
        validator,
        sandbox,
        space,
        invocations: new Invocations({ integrationId, clock: life.clock, vitals: this.vitals, space }),
        logs: {
          open: async (_id, kind) => {
            await life.delay();
            return new MemoryLog(this.streams[kind], life, logs(kind));
          },
          all: async () => [integrationId],
          remove: async (_id, kinds = ["ingest", "deliver"]) => {
            // What is made anew begins far above the sequences there were.
            for (const kind of kinds) this.streams[kind] = new MemoryStream(this.streams[kind].sequence + 1_000_000);
          },
          spareClaims: async () => async () => {},
          status: { connected: true, reason: undefined },
        },
        handedOver: async () => {},
        eventRunMs: this.eventRunMs,
        health: {
          owned: () => {},
          idle: () => {
            this.waiting = null;
          },
          begun: () => {
            this.waiting = null;
          },
          waiting: (reason) => {
            this.waiting = reason;
          },
          imbalanced: (reason) => {
            this.imbalance = reason;
          },
          lost: (reason) => void this.losses.push(reason),
          ended: () => {},
        },
      }),
      "integration",
    );
    return { ref, stop: () => system.shutdown().then(() => settler.stop()) };
  }
}
