import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { circuitStates, graphOf } from "../../runtime/live/index.ts";
import { type LiveDetail, noFigures, noSamples } from "../../runtime/ports/live.ts";
import type { IntegrationRow, OverviewOptions, OverviewPage, OverviewRow } from "../../runtime/ports/store.ts";
import { found, type ServiceContext } from "./context.ts";

/** How integrations do at this moment. */
export function liveService({ store, live, runner }: ServiceContext) {
  return {
    async of(id: string): Promise<JsonObject> {
      const row = found(await store.integrations.get(id), "integration", id);
      return liveResource((await live.detail(id)) ?? nobodys(row));
    },

    /** With the figures of those on the page, and the sums of all. */
    async overview(options: OverviewOptions): Promise<JsonObject> {
      // Postgres knows no NUL, and no name has one.
      const isNone = options.search?.includes("\0") ?? false;
      const page = await store.integrations.overview(isNone ? { ...options, search: null, limit: 1 } : options);
      const rows = isNone ? [] : page.items;
      const figures = await live.describe(rows.map(({ id }) => id));
      const items = rows.map((row) => {
        const { live: now, samples } = figures.get(row.id) ?? nobodys(row);
        const nextFire = runner.nextFire(row)?.toISOString() ?? null;
        return { ...overviewResource(row, nextFire), live: { ...now, dead_letters: row.deadLetters, samples } };
      });
      const nextCursor = isNone ? null : page.nextCursor;
      return { items: items as unknown as Json, next_cursor: nextCursor, totals: totalsResource(page) };
    },
  };
}

export function liveResource({ id, live, samples, graph }: LiveDetail): JsonObject {
  return { integration_id: id, ...live, samples, graph } as unknown as JsonObject;
}

/** As the graph is drawn where no node carries the integration out. */
export function nobodys(
  row: Pick<IntegrationRow, "id" | "name" | "enabled" | "version" | "health" | "healthReason" | "circuits" | "spec">,
): LiveDetail {
  const { id, name, enabled, version, health, healthReason: health_reason } = row;
  const integration = resolveIntegration(row.spec);
  const live = noFigures(circuitStates(integration, row.circuits, Date.now()));
  const figures = {
    rate: () => 0,
    consumer: () => ({
      credit: { available: 0, limit: 0, unit: "batches" as const },
      queue: { records: 0, bytes: null },
      blocked: false,
      room: null,
      full: false,
    }),
    writer: () => ({ records: 0, blocked: false, latency: null }),
    circuits: live.circuits,
    waiting: null,
  };
  const graph = graphOf(integration, figures, integration.destinations.length > 1);
  return { id, name, enabled, version, health, health_reason, live, samples: noSamples, graph };
}

function overviewResource(row: OverviewRow, next_fire_at: string | null): JsonObject {
  const { id, name, enabled, version, owner, updatedAt, health, healthReason, spec, lastRun } = row;
  return {
    ...{ id, name, enabled, version, owner, updated_at: updatedAt.toISOString() },
    ...{ status: enabled ? "enabled" : "disabled", health, health_reason: healthReason },
    ...{ trigger: resolveIntegration(spec).trigger.type, next_fire_at },
    last_run: lastRun && {
      id: lastRun.id,
      status: lastRun.status,
      started_at: lastRun.startedAt.toISOString(),
      finished_at: lastRun.finishedAt?.toISOString() ?? null,
      records_failed: lastRun.failed,
    },
  };
}

function totalsResource({ totals }: OverviewPage): JsonObject {
  const { integrations, enabled, ok, degraded, stopped, waiting, circuitsOpen, withDeadLetters } = totals;
  const sums = { circuits_open: circuitsOpen, with_dead_letters: withDeadLetters };
  return { integrations, enabled, by_health: { ok, degraded, stopped, waiting }, ...sums };
}
