import type { DestinationMode, Json, JsonObject, SourceMode } from "../../connectors/sdk/index.ts";
import { fillDefaults } from "./defaults.ts";
import { parseDuration } from "./duration.ts";
import { type Node, sortGraph } from "./graph.ts";
import type { HmacForm, HookAuth } from "./hook-auth.ts";
import { integrationSchema } from "./integration-schema.ts";
import type {
  Measure,
  MeasureFunction,
  ResolvedDelivery,
  ResolvedDestination,
  ResolvedIntegration,
  ResolvedSource,
  ResolvedStep,
  ResolvedTrigger,
  SchemaContract,
} from "./resolved.ts";

/**
 * The spec in its long form, as `sluice lint --defaults` prints it: `sources` and `destinations` as lists, every step
 * with its `needs`, every option with its value. Expects a spec that `checkIntegration` accepts.
 */
export function completeIntegration(spec: JsonObject): JsonObject {
  const { source, sources, destination, destinations, mapping_spec, pipeline_spec, ...rest } = fillDefaults(
    integrationSchema,
    spec,
  ) as JsonObject;
  const steps = completeSteps(
    (pipeline_spec as JsonObject | undefined)?.steps as JsonObject[] | undefined,
    mapping_spec,
  );
  const last = steps.at(-1)?.id ?? "source";
  return {
    ...rest,
    sources: sources ?? (source === undefined ? [] : [source]),
    pipeline_spec: { steps },
    destinations: ((destinations ?? [destination!]) as JsonObject[]).map((each) => ({
      ...each,
      id: each.id ?? each.connector!,
      needs: each.needs ?? [last],
    })),
  };
}

/** A step without `needs` follows the one before; left out altogether, a `mapping_spec` is one map step. */
function completeSteps(steps: JsonObject[] | undefined, mapping: Json | undefined): JsonObject[] {
  const given =
    steps ?? (mapping === undefined ? [] : [{ id: "map", type: "map", concurrency: 1, on_error: "dead_letter" }]);
  return given.map((step, index) => ({
    ...step,
    needs: step.needs ?? [given[index - 1]?.id ?? "source"],
    ...(step.type === "map" && { mapping: step.mapping ?? mapping! }),
  }));
}

/** The spec of an integration, every option decided. Expects a spec that `checkIntegration` accepts. */
export function resolveIntegration(spec: JsonObject): ResolvedIntegration {
  const complete = completeIntegration(spec) as unknown as CompleteSpec;
  const { trigger } = complete;
  return {
    trigger: trigger.type === "webhook" ? { type: trigger.type, auth: resolveHookAuth(trigger.auth) } : trigger,
    sources: complete.sources.map(({ connector, stream, mode, cursor_field }) => ({
      connector,
      stream,
      // What has no end is never read from its beginning again.
      mode: trigger.type === "event" ? "incremental" : mode,
      cursorField: cursor_field,
    })),
    steps: sortSteps(complete.pipeline_spec.steps),
    destinations: complete.destinations.map(({ id, connector, stream, mode, key, needs }) => ({
      id,
      connector,
      stream,
      mode,
      key: key ?? [],
      needs: [...new Set(needs)],
    })),
    delivery: resolveDelivery(complete.delivery),
    contract: complete.schema.contract,
  };
}

function resolveHookAuth(auth: CompleteHookAuth): HookAuth {
  const { scheme, secrets = [], tolerance, header, algorithm = "sha256", encoding = "hex", prefix = "" } = auth;
  const timestampHeader = auth.timestamp_header?.toLowerCase();
  return {
    scheme,
    secrets,
    ...(auth.verify_token !== undefined && { verifyToken: auth.verify_token }),
    toleranceMs: ms(tolerance),
    ...(header !== undefined && {
      hmac: { header: header.toLowerCase(), algorithm, encoding, prefix, ...(timestampHeader && { timestampHeader }) },
    }),
  };
}

function sortSteps(steps: readonly CompleteStep[]): ResolvedStep[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const order = sortGraph(steps satisfies readonly Node[]).order;
  return order.map((id) => {
    const step = byId.get(id)!;
    const base = {
      id,
      needs: [...new Set(step.needs)],
      onError: step.on_error,
      rateLimit: step.rate_limit ?? null,
      concurrency: step.concurrency,
    };
    return { ...base, ...stepOptions(step) };
  });
}

function stepOptions(step: CompleteStep) {
  const { type, where, mapping, schema, path, as = null, keep_parent, routes, otherwise = null, script } = step;
  switch (type) {
    case "filter":
      return { type, where };
    case "validate":
      return { type, schema };
    case "enrich": {
      const { connector, request, merge_at, cache, on_missing } = step;
      const { ttl, max_entries } = cache;
      return {
        type,
        connector,
        request,
        mergeAt: merge_at,
        cache: { ttlMs: ms(ttl), maxEntries: max_entries },
        onMissing: on_missing ?? "null",
      };
    }
    case "split":
      return { type, path, as, keepParent: keep_parent };
    case "route":
      return { type, routes, otherwise };
    case "transform":
      return { type, script };
    case "aggregate":
      return {
        type,
        key: step.key,
        window: resolveWindow(step.window),
        measures: resolveMeasures(step.measures),
        emit: step.emit ?? null,
      };
    default:
      return { type: "map" as const, mapping };
  }
}

function resolveWindow({ count, duration }: CompleteStep["window"]) {
  return { count: count ?? null, durationMs: duration === undefined ? null : ms(duration) };
}

function resolveMeasures(measures: CompleteStep["measures"]): Measure[] {
  return Object.entries(measures).map(([name, measure]) => {
    const [[of, path]] = Object.entries(measure) as [[MeasureFunction, string | true]];
    return { name, function: of, path: path === true ? null : path };
  });
}

function resolveDelivery(delivery: CompleteDelivery): ResolvedDelivery {
  const { batch, retry, circuit_breaker, rate_limit, timeout, idempotency, dead_letter } = delivery;
  return {
    ordering: delivery.ordering,
    key: delivery.key ?? [],
    batch: { records: batch.records, bytes: batch.bytes, lingerMs: ms(batch.linger) },
    retry: {
      maxAttempts: retry.max_attempts,
      initialMs: ms(retry.initial),
      maxMs: ms(retry.max),
      multiplier: retry.multiplier,
      jitter: retry.jitter,
    },
    circuitBreaker: {
      failurePercent: circuit_breaker.failure_percent,
      windowMs: ms(circuit_breaker.window),
      minimumCalls: 10,
      openForMs: ms(circuit_breaker.open_for),
      halfOpenRequests: circuit_breaker.half_open_requests,
    },
    rateLimit: {
      perMinute: rate_limit.per_minute ?? null,
      burst: rate_limit.burst ?? null,
      perDay: rate_limit.per_day ?? null,
    },
    timeout: { connectMs: ms(timeout.connect), readMs: ms(timeout.read), totalMs: ms(timeout.total) },
    idempotency: {
      key: idempotency.key ?? null,
      windowMs: idempotency.window === undefined ? null : ms(idempotency.window),
    },
    alertDepth: dead_letter.alert_depth ?? null,
  };
}

const ms = (text: string): number => parseDuration(text)!;

interface CompleteHookAuth extends Partial<Omit<HmacForm, "timestampHeader">> {
  readonly scheme: HookAuth["scheme"];
  readonly secrets?: readonly string[];
  readonly verify_token?: string;
  readonly tolerance: string;
  readonly timestamp_header?: string;
}

/** The shape that the schema and its defaults guarantee after `completeIntegration`. */
interface CompleteSpec {
  readonly trigger:
    | Exclude<ResolvedTrigger, { type: "webhook" }>
    | { readonly type: "webhook"; readonly auth: CompleteHookAuth };
  readonly sources: readonly (Omit<ResolvedSource, "cursorField"> & { mode: SourceMode; cursor_field?: string })[];
  readonly pipeline_spec: { readonly steps: readonly CompleteStep[] };
  readonly destinations: readonly (Omit<ResolvedDestination, "key"> & { mode: DestinationMode; key?: string[] })[];
  readonly delivery: CompleteDelivery;
  readonly schema: { readonly contract: SchemaContract };
}

/** The fields of all types; those of its own type are there. */
interface CompleteStep extends Node {
  readonly type: ResolvedStep["type"];
  readonly where: Json;
  readonly mapping: readonly Json[];
  readonly schema: JsonObject | boolean;
  readonly connector: string;
  readonly request: JsonObject;
  readonly merge_at: string;
  readonly cache: { readonly ttl: string; readonly max_entries: number };
  readonly on_missing: "fail" | "skip" | "null" | null;
  readonly path: string;
  readonly as?: string;
  readonly keep_parent: boolean;
  readonly routes: readonly { readonly to: string; readonly where: Json }[];
  readonly otherwise?: string;
  readonly script: string;
  readonly key: readonly string[];
  readonly window: { readonly count?: number; readonly duration?: string };
  /** By name: the function and what it takes. */
  readonly measures: { readonly [name: string]: { readonly [of in MeasureFunction]?: string | true } };
  readonly emit?: readonly Json[];
  readonly rate_limit?: number;
  readonly concurrency: number;
  readonly on_error: "dead_letter" | "drop" | "stop";
}

interface CompleteDelivery {
  readonly ordering: ResolvedDelivery["ordering"];
  readonly key?: readonly string[];
  readonly batch: { readonly records: number; readonly bytes: number; readonly linger: string };
  readonly retry: {
    readonly max_attempts: number;
    readonly initial: string;
    readonly max: string;
    readonly multiplier: number;
    readonly jitter: number;
  };
  readonly circuit_breaker: {
    readonly failure_percent: number;
    readonly window: string;
    readonly open_for: string;
    readonly half_open_requests: number;
  };
  readonly rate_limit: { readonly per_minute?: number; readonly burst?: number; readonly per_day?: number };
  readonly timeout: { readonly connect: string; readonly read: string; readonly total: string };
  readonly idempotency: { readonly key?: string; readonly window?: string };
  readonly dead_letter: { readonly alert_depth?: number };
}
