import { randomUUIDv7 } from "node:crypto";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { type Actor, type Context, oneForOne, type Props } from "../runtime/actor/index.ts";
import { resolveIntegration } from "../runtime/config/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Log, LogService } from "../runtime/ports/log.ts";
import type { IntegrationRow, RunRow } from "../runtime/ports/store.ts";
import { persist } from "./persist.ts";
import { type RunMessage, runProps, type Services } from "./run.ts";

export interface IntegrationOptions extends Services {
  readonly integrationId: string;
  readonly logs: LogService;
  /** How the integration does, whenever that changes. */
  readonly health: (health: { readonly status: "ok" | "degraded" | "waiting"; readonly reason: string | null }) => void;
}

export type IntegrationMessage =
  /** A run may have been opened. */
  | { readonly type: "wake" }
  | { readonly type: "finished" }
  | { readonly type: "lost"; readonly error: unknown }
  | { readonly type: "cancel"; readonly runId: string };

interface Logs {
  readonly ingest: Log;
  readonly deliver: Log;
}

/**
 * An integration on the node that owns it (invariant 5): takes its logs over and carries out its runs, one at a time,
 * the oldest first; runs that another node left behind are among them.
 */
export class IntegrationActor implements Actor<IntegrationMessage> {
  readonly #options: IntegrationOptions;
  #logs: Logs | undefined;
  #run:
    | { readonly row: RunRow; readonly stop: () => Promise<unknown>; readonly tell: (message: RunMessage) => void }
    | undefined;

  constructor(options: IntegrationOptions) {
    this.#options = options;
  }

  started(ctx: Context<IntegrationMessage>): void {
    ctx.self.tell({ type: "wake" });
  }

  async receive(message: IntegrationMessage, ctx: Context<IntegrationMessage>): Promise<void> {
    switch (message.type) {
      case "wake":
        if (!this.#run) await this.#next(ctx);
        return;
      case "finished": {
        const finished = this.#run;
        this.#run = undefined;
        await finished?.stop();
        await this.#next(ctx);
        return;
      }
      case "lost":
        // The actor begins anew: it takes the logs over again if the integration is still this node's.
        throw message.error;
      case "cancel":
        if (this.#run?.row.id === message.runId) this.#run.tell({ type: "cancel" });
    }
  }

  async stopped(): Promise<void> {
    await this.#logs?.ingest.close();
    await this.#logs?.deliver.close();
  }

  async #next(ctx: Context<IntegrationMessage>): Promise<void> {
    const { store, integrationId, health } = this.#options;
    const row = await persist(ctx.clock, ctx.signal, async () => {
      const [running] = await store.runs.running(integrationId);
      return running ?? (await store.schedules.fireQueued(integrationId, randomUUIDv7()));
    });
    if (!row) return;
    const integration = await persist(ctx.clock, ctx.signal, () =>
      store.integrations.version(integrationId, row.integrationVersion),
    );
    if (!integration) {
      const error = {
        code: "NOT_FOUND" as const,
        message: `version ${row.integrationVersion} of the integration is gone`,
      };
      await persist(ctx.clock, ctx.signal, () =>
        store.runs.finish(row.id, { status: "failed", error, counts: row.counts }),
      );
      ctx.self.tell({ type: "wake" });
      return;
    }
    try {
      await this.#start(ctx, row, integration);
    } catch (error) {
      health({ status: "waiting", reason: messageOf(error) });
      throw error;
    }
  }

  async #start(ctx: Context<IntegrationMessage>, run: RunRow, row: IntegrationRow): Promise<void> {
    const {
      store,
      integrationId,
      health,
      logs: { status },
      ...services
    } = this.#options;
    this.#logs ??= await this.#open();
    const { ingest, deliver } = this.#logs;
    // Each run is an owner of its own: what an earlier one still had on its way is refused.
    const epoch = await ingest.own();
    await deliver.own();
    const checkpoints = await persist(ctx.clock, ctx.signal, () => store.checkpoints.load(integrationId));
    const lost = (error: unknown) => ctx.self.tell({ type: "lost", error });
    const options = {
      ...services,
      ingest,
      deliver,
      epoch,
      store,
      run,
      name: row.name,
      integration: resolveIntegration(row.spec as JsonObject),
      checkpoints,
      logStatus: status,
      waiting: (reason: string | null) => health({ status: reason === null ? "ok" : "waiting", reason }),
      finished: () => ctx.self.tell({ type: "finished" }),
      stale: lost,
    };
    const ref = ctx.spawn(runProps(options));
    this.#run = { row: run, tell: (message) => ref.tell(message), stop: () => ctx.stop(ref) };
    ctx.watch(ref, ({ reason }) => {
      if (this.#run?.row === run && reason.kind !== "stop") lost(reason.error);
    });
    health({ status: "ok", reason: null });
  }

  async #open(): Promise<Logs> {
    const { logs, integrationId } = this.#options;
    return { ingest: await logs.open(integrationId, "ingest"), deliver: await logs.open(integrationId, "deliver") };
  }
}

export function integrationProps(options: IntegrationOptions): Props<IntegrationMessage> {
  return {
    create: () => new IntegrationActor(options),
    // A run that crashes is begun again from what the store and the logs say, not from its own memory.
    supervision: oneForOne({ decide: () => "stop" }),
  };
}
