import type { DestinationMode, Json, JsonObject, SourceMode } from "../../connectors/sdk/index.ts";
import type { HookAuth } from "./hook-auth.ts";

/**
 * An integration with every option decided: what the actors run. Made by `resolveIntegration` of a spec that
 * `checkIntegration` found without errors. Durations are milliseconds, sizes bytes; `null` means off or unlimited.
 */
export interface ResolvedIntegration {
  readonly trigger: ResolvedTrigger;
  /** None where records are pushed in (trigger webhook). */
  readonly sources: readonly ResolvedSource[];
  /** In an order in which every step comes after all that feed it. */
  readonly steps: readonly ResolvedStep[];
  /** At least one. */
  readonly destinations: readonly ResolvedDestination[];
  readonly delivery: ResolvedDelivery;
  readonly contract: SchemaContract;
}

export type SchemaContract = "evolve" | "freeze" | "discard_value" | "discard_record";

export type ResolvedTrigger =
  | { readonly type: "manual" }
  | {
      readonly type: "schedule";
      readonly cron: string;
      /** IANA name; `UTC` where none is given. */
      readonly timezone: string;
      readonly misfire: "once" | "skip";
      readonly overlap: "skip" | "queue" | "run";
    }
  | { readonly type: "webhook"; readonly auth: HookAuth }
  | { readonly type: "event" };

export interface ResolvedSource {
  /** Name of the connector. */
  readonly connector: string;
  readonly stream: string;
  readonly mode: SourceMode;
  /** Field path; given whenever the mode is incremental. */
  readonly cursorField: string | undefined;
}

/** What feeds a step or a destination: `source`, or the id of a step. */
export type Feed = string;

interface StepBase {
  readonly id: string;
  /** At least one, none twice. */
  readonly needs: readonly Feed[];
  readonly onError: "dead_letter" | "drop" | "stop";
  /** Records a second that leave the step. */
  readonly rateLimit: number | null;
  readonly concurrency: number;
}

export type ResolvedStep =
  | (StepBase & { readonly type: "filter" /** Source of a predicate. */; readonly where: Json })
  | (StepBase & { readonly type: "map" /** Mapping rules. */; readonly mapping: readonly Json[] })
  | (StepBase & { readonly type: "validate"; readonly schema: JsonObject | boolean })
  | (StepBase & {
      readonly type: "enrich";
      /** Name of the connector. */
      readonly connector: string;
      /** Its texts are templates, with references that are not resolved yet. */
      readonly request: JsonObject;
      /** Field path. */
      readonly mergeAt: string;
      readonly cache: { readonly ttlMs: number; readonly maxEntries: number };
      readonly onMissing: "fail" | "skip" | "null";
    })
  | (StepBase & {
      readonly type: "split";
      /** Field path of the array. */
      readonly path: string;
      /** Field path for the element; null: the element is the record. */
      readonly as: string | null;
      readonly keepParent: boolean;
    })
  | (StepBase & {
      readonly type: "aggregate";
      /** Field paths, none within another; empty: all records are one group. */
      readonly key: readonly string[];
      /** Whichever comes first; with neither, the run's end. */
      readonly window: { readonly count: number | null; readonly durationMs: number | null };
      readonly measures: readonly Measure[];
      /** Mapping rules over a closed window; null: the key's fields and the measures are given. */
      readonly emit: readonly Json[] | null;
    })
  | (StepBase & { readonly type: "transform" /** A JavaScript function. */; readonly script: string })
  | (StepBase & {
      readonly type: "route";
      /** Ids of steps or destinations, with the source of a predicate each. */
      readonly routes: readonly { readonly to: string; readonly where: Json }[];
      readonly otherwise: string | null;
    });

/** What an aggregate gives of the records of a window. */
export interface Measure {
  /** Name of the field. */
  readonly name: string;
  readonly function: MeasureFunction;
  /** Field path; null for `count`. */
  readonly path: string | null;
}

export type MeasureFunction = "sum" | "min" | "max" | "avg" | "count" | "first" | "last" | "collect";

export interface ResolvedDestination {
  /** Unique among steps and destinations; names the destination in counts, dead letters and logs. */
  readonly id: string;
  /** Name of the connector. */
  readonly connector: string;
  readonly stream: string;
  readonly mode: DestinationMode;
  /** Field paths; at least one whenever the mode is upsert. */
  readonly key: readonly string[];
  /** At least one, none twice. */
  readonly needs: readonly Feed[];
}

export interface ResolvedDelivery {
  readonly ordering: "none" | "key" | "strict";
  /** Field paths; at least one whenever the ordering is by key. */
  readonly key: readonly string[];
  readonly batch: { readonly records: number; readonly bytes: number; readonly lingerMs: number };
  readonly retry: {
    readonly maxAttempts: number;
    readonly initialMs: number;
    readonly maxMs: number;
    readonly multiplier: number;
    /** Share of the delay that is random, 0 to 1. */
    readonly jitter: number;
  };
  readonly circuitBreaker: {
    readonly failurePercent: number;
    readonly windowMs: number;
    /** Calls in the window below which the circuit never opens. */
    readonly minimumCalls: number;
    readonly openForMs: number;
    readonly halfOpenRequests: number;
  };
  readonly rateLimit: {
    readonly perMinute: number | null;
    readonly burst: number | null;
    readonly perDay: number | null;
  };
  readonly timeout: { readonly connectMs: number; readonly readMs: number; readonly totalMs: number };
  /** `key` is a field path, or null for the record's id; `windowMs` null: keys are not remembered. */
  readonly idempotency: { readonly key: string | null; readonly windowMs: number | null };
  /** Depth of the dead letters above which an alert is raised. */
  readonly alertDepth: number | null;
}
