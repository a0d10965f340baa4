/*
 * What the API answers, by the names that pages use. The shapes are the API's own (/openapi.json).
 */
import type * as api from "./gen/types.ts";
import type { JsonObject } from "./json.ts";

export type {
  ApiKey,
  AuditEntry,
  Circuit,
  Connector,
  ConnectorType,
  DeadLetter,
  DeadLetterDetail,
  DeadLetterGroup,
  DryRun,
  Failure,
  Followed,
  IntegrationVersion,
  Job,
  LiveDetail,
  Me,
  Node,
  Preview,
  Run,
  RunDetail,
  Test as ConnectorTest,
} from "./gen/types.ts";
export type { Json, JsonObject } from "./json.ts";

/** RFC 3339 in UTC, with milliseconds. */
export type Time = string;

export type Scope = api.Me["scopes"][number];
export type Role = api.ApiKey["role"];

export type Health = api.Integration["health"];
export type RunStatus = api.Run["status"];
export type TriggerType = api.Trigger["type"];
export type Ledger = NonNullable<api.RunDetail["ledger"]>;
export type Series = api.RunSeries;

export type OverviewItem = api.Overview["items"][number];
export type OverviewTotals = api.Overview["totals"];
export type Live = Omit<api.LiveDetail, "integration_id" | "samples" | "graph">;
export type Samples = api.LiveDetail["samples"];
export type Latency = NonNullable<Live["latency"]>;
/** Nodes and edges in the order of the flow. */
export type Graph = api.LiveDetail["graph"];
export type GraphNode = Graph["nodes"][number];
export type GraphEdge = Graph["edges"][number];

/** Parts of a configuration that pages read and write as JSON, without a view of what is in them. */
type Loose<T> = { readonly [K in keyof T]: K extends keyof LooseParts ? LooseParts[K] : T[K] };
interface LooseParts {
  readonly source?: JsonObject;
  readonly sources?: readonly JsonObject[];
  readonly destination?: JsonObject;
  readonly destinations?: readonly JsonObject[];
  readonly trigger?: JsonObject & { readonly type: TriggerType };
  readonly mapping_spec?: readonly JsonObject[];
  readonly pipeline_spec?: JsonObject;
  readonly delivery?: JsonObject;
  readonly schema?: JsonObject;
}
export type Integration = Loose<api.Integration>;
export type IntegrationBody = Loose<api.IntegrationBody>;

export type Stream = api.Streams["streams"][number];

export type FollowedRecord = api.Followed["items"][number];
export type FollowedStep = NonNullable<FollowedRecord["steps"]>[number];
export type FollowedOutcome = FollowedRecord["destinations"][number];
export type FollowedEvent = FollowedRecord["events"][number];
/** How many records there were between two steps, and the first of them. */
export type ShownRecords = FollowedStep["in"];
export type OutcomeStatus = FollowedOutcome["status"];
export type PreviewedRecord = api.Preview["records"][number];

export type IntegrationEvent =
  | { readonly id: string; readonly removed: true }
  | ({
      readonly removed?: false;
      readonly live: Live & { readonly samples?: Samples; readonly graph?: Graph };
    } & Pick<api.Integration, "id" | "name" | "enabled" | "status" | "version" | "health" | "health_reason">);

/** By the name of the server-sent event. */
export interface Events {
  readonly hello: { readonly node: string; readonly beat_seconds: number };
  readonly ready: object;
  readonly integration: IntegrationEvent;
  readonly run: api.Run;
  readonly dead_letters: { readonly integration_id: string; readonly depth: number };
  readonly job: api.Job;
  readonly node: api.Node;
}
