import type { Json, JsonObject, StreamInfo } from "../../connectors/sdk/index.ts";
import { redactedHookSecrets, resolveIntegration } from "../../runtime/config/index.ts";
import { circuitStates } from "../../runtime/live/index.ts";
import type { RegisteredType } from "../../runtime/ports/connectors.ts";
import type { Ledger } from "../../runtime/ports/ledger.ts";
import type { PluginRow, PluginState } from "../../runtime/ports/plugins.ts";
import type { DeadLetterGroup, JobRow } from "../../runtime/ports/replays.ts";
import type {
  ConnectorRow,
  DeadLetterDetail,
  DeadLetterRow,
  DriftRow,
  IntegrationRow,
  IntegrationVersionRow,
  Page,
  RunRow,
  RunSeries,
} from "../../runtime/ports/store.ts";
import { parseJson, requestMeta } from "../../runtime/record/index.ts";
import type { Durability } from "./ports.ts";

/*
 * Rows as the API shows them (contract section 14). Undefined members are left out by JSON.stringify.
 */

export interface ListResource {
  readonly items: readonly JsonObject[];
  readonly next_cursor: string | null;
}

export function listResource<T>(page: Page<T>, resource: (row: T) => JsonObject): ListResource {
  return { items: page.items.map(resource), next_cursor: page.nextCursor };
}

/** Of one version, with all that there are of the type, the newest first. */
export function connectorTypeResource(type: RegisteredType, types: readonly RegisteredType[]): JsonObject {
  const { source, ...rest } = type.capabilities;
  const capabilities = source
    ? {
        source: { modes: source.modes, own_cursor: source.ownCursor === true, endless: source.endless === true },
        ...rest,
      }
    : rest;
  return {
    type: type.type,
    version: type.version,
    versions: types.filter((each) => each.type === type.type).map(({ version }) => version),
    plugin: type.plugin ?? null,
    title: type.title,
    description: type.description,
    config: type.config as Json,
    capabilities: capabilities as unknown as Json,
  };
}

/** Secrets read as `***`. `serves` and `state` are null before it was asked what it is. */
export function pluginResource(row: PluginRow, { status, reason }: PluginState): JsonObject {
  const { serves } = row;
  return {
    id: row.id,
    name: row.name,
    ...row.spec,
    serves: serves && { type: serves.type, version: serves.version },
    state: { status, reason },
    version: row.version,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Secrets never left the sealed part: `config` holds `***` in their places. */
export function connectorResource(row: ConnectorRow): JsonObject {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    config: row.config,
    owner: row.owner,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    version: row.version,
  };
}

export function integrationResource(
  row: IntegrationRow,
  nextFire: Date | null,
  { tier, copies }: Durability,
): JsonObject {
  return {
    id: row.id,
    name: row.name,
    ...redactedHookSecrets(row.spec),
    enabled: row.enabled,
    version: row.version,
    status: row.enabled ? "enabled" : "disabled",
    health: row.health,
    health_reason: row.healthReason,
    circuits: circuitsResource(row),
    durability: { tier, copies },
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    next_fire_at: nextFire?.toISOString() ?? null,
  };
}

/** With the spec, of one; without, in lists. */
export function integrationVersionResource(
  row: IntegrationVersionRow & Partial<Pick<IntegrationRow, "spec">>,
): JsonObject {
  return {
    version: row.version,
    created_at: row.createdAt.toISOString(),
    created_by: row.changedBy,
    name: row.name,
    ...(row.spec && redactedHookSecrets(row.spec)),
    enabled: row.enabled,
  };
}

export function runResource(row: RunRow): JsonObject {
  return {
    id: row.id,
    integration_id: row.integrationId,
    integration_version: row.integrationVersion,
    trigger: row.trigger,
    status: row.status,
    started_at: row.startedAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
    records_in: row.counts.in,
    records_out: row.counts.out,
    records_filtered: row.counts.filtered,
    records_failed: row.counts.failed,
    by_destination: row.counts.byDestination as unknown as JsonObject,
    error: row.error as unknown as Json,
    waiting: row.waiting,
    ...(row.jobId && { job_id: row.jobId }),
    request: row.correlation ? requestMeta(row.correlation) : null,
  };
}

function circuitsResource({ spec, circuits }: Pick<IntegrationRow, "spec" | "circuits">): JsonObject {
  return circuitStates(resolveIntegration(spec), circuits, Date.now()) as unknown as JsonObject;
}

/** A run by itself also tells the circuits of its destinations, its ledger, and the drift of its stream's schema. */
export function runDetailResource({ run, drift, integration }: RunDetail): JsonObject {
  return {
    ...runResource(run),
    circuits: integration && circuitsResource(integration),
    ledger: run.counts.ledger ? ledgerResource(run.counts.ledger) : null,
    drift: drift.map(({ kind, path, expected, found, connector, stream, version, seenAt }) => ({
      kind,
      path,
      expected,
      found,
      connector,
      stream,
      version,
      seen_at: seenAt.toISOString(),
    })),
  };
}

/** From its beginning to now, or its end. */
export function seriesResource({
  run,
  series,
}: {
  readonly run: RunRow;
  readonly series: RunSeries | null;
}): JsonObject {
  const { id, startedAt, finishedAt, counts } = run;
  const { intervalMs, points } = series ?? { intervalMs: 1_000, points: [] };
  const endMs = Math.max((finishedAt ?? new Date()).getTime() - startedAt.getTime(), points.at(-1)?.[0] ?? 0);
  const last = [endMs, counts.in, counts.out, counts.filtered, counts.failed] as const;
  const shown = [[0, 0, 0, 0, 0] as const, ...points.filter(([ms]) => ms < endMs), last];
  return {
    run_id: id,
    interval_seconds: intervalMs / 1000,
    points: shown.map(([ms, records_in, records_out, records_filtered, records_failed]) => {
      const at = new Date(startedAt.getTime() + ms).toISOString();
      return { at, records_in, records_out, records_filtered, records_failed };
    }),
  };
}

/** `pending` is what is on its way to a destination: in the log, or put off. */
function ledgerResource({ steps, destinations, imbalances = [] }: Ledger): JsonObject {
  const shown = Object.entries(destinations).map(([id, { pending, deferred, ...counts }]) => {
    return [id, { ...counts, pending: Math.max(0, pending) + deferred, deferred }] as const;
  });
  return {
    balanced: imbalances.length === 0,
    imbalances: imbalances.map(({ at, ...imbalance }) => ({ ...at, ...imbalance })) as unknown as Json,
    steps: steps as unknown as JsonObject,
    destinations: Object.fromEntries(shown),
  };
}

export interface RunDetail {
  readonly run: RunRow;
  readonly drift: readonly DriftRow[];
  /** Of the run's version; null: the run has ended. */
  readonly integration: IntegrationRow | null;
}

export function deadLetterResource(row: DeadLetterRow): JsonObject {
  // What no destination has tried has failed once all the same.
  const once = [{ at: row.firstFailedAt.toISOString(), code: row.code, message: row.message }];
  const attempts = row.attempts.length > 0 ? row.attempts : once;
  return {
    id: row.id,
    run_id: row.runId,
    integration_id: row.integrationId,
    integration_version: row.integrationVersion,
    record_id: row.recordId,
    step: row.step,
    destination: row.destination,
    rule: row.rule,
    code: row.code,
    message: row.message,
    position: row.position as unknown as JsonObject,
    attempt_count: attempts.length,
    attempts: attempts as unknown as Json,
    errors: row.errors as unknown as Json,
    first_failed_at: row.firstFailedAt.toISOString(),
    last_attempted_at: row.lastAttemptedAt.toISOString(),
    fingerprint: row.fingerprint,
    trace_id: row.traceId,
    request: row.correlation && requestMeta(row.correlation),
    corrected_at: row.correctedAt?.toISOString() ?? null,
    corrected_by: row.correctedBy,
    resolved: row.resolved,
    resolution: row.resolution,
    resolution_reason: row.resolutionReason,
    resolved_at: row.resolvedAt?.toISOString() ?? null,
    resolved_by: row.resolvedBy,
    resolved_run_id: row.resolvedRunId,
    version: row.version,
  };
}

export function deadLetterDetailResource(row: DeadLetterDetail): JsonObject {
  const raw = rawText(row.raw);
  return {
    ...deadLetterResource(row),
    payload: row.payload ?? jsonOf(raw),
    raw,
    state: row.state,
    corrected: row.corrected,
  };
}

export function deadLetterGroupResource(group: DeadLetterGroup): JsonObject {
  const { id, step, destination, rule, code, message } = group.example;
  return {
    fingerprint: group.fingerprint,
    count: group.count,
    first_failed_at: group.firstFailedAt.toISOString(),
    last_attempted_at: group.lastAttemptedAt.toISOString(),
    first_version: group.firstVersion,
    last_version: group.lastVersion,
    step,
    destination,
    rule,
    code,
    message,
    example_id: id,
  };
}

export function jobResource(row: JobRow): JsonObject {
  const { total, passed, failed } = row.progress;
  return {
    id: row.id,
    integration_id: row.integrationId,
    kind: row.kind,
    status: row.status,
    options: row.options as unknown as JsonObject,
    progress: { done: passed + failed, total, passed, failed },
    error: row.error as unknown as Json,
    created_at: row.createdAt.toISOString(),
    created_by: row.createdBy,
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** Postgres' JSON has no NUL: a record that holds one is stored as its text alone. Null for what is no JSON. */
function jsonOf(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

/** Bytes as text where they are UTF-8, else as a data URL, so that none is lost. */
function rawText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`;
  }
}

export function streamResource(stream: StreamInfo): JsonObject {
  return {
    name: stream.name,
    schema: stream.schema as Json,
    key: (stream.key as Json | undefined) ?? null,
    cursor_fields: (stream.cursorFields as Json | undefined) ?? null,
  };
}
