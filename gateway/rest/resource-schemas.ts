import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { connectorSchema, integrationSchema, type Part, pluginSchema } from "../../runtime/config/index.ts";
import { isObject } from "../../runtime/record/index.ts";
import { roles } from "../auth/index.ts";
import { ledger } from "./ledger-schema.ts";

/*
 * Shapes of what the API answers (contract section 14), for its documentation.
 */

const object = (properties: Record<string, Part>): Part => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});
const orNull = (part: Part): Part => ({ ...part, type: [part.type as string, "null"] });
const string: Part = { type: "string" };
const integer: Part = { type: "integer" };
const id: Part = { type: "string", format: "uuid", description: "UUIDv7." };
const time: Part = { type: "string", format: "date-time" };
const anything: Part = {};
const anyObject: Part = { type: "object" };

/** A page of a list. */
export const listOf = (item: Part): Part =>
  object({
    items: { type: "array", items: item },
    next_cursor: { ...orNull(string), description: "Null on the last page." },
  });

export const connectorType = object({
  type: string,
  version: string,
  versions: { type: "array", items: string, description: "All that there are, the newest first." },
  plugin: { ...orNull(string), description: "The plugin that serves it; null: it is built in." },
  title: string,
  description: string,
  config: { type: ["object", "boolean"], description: "JSON Schema of a connector's config." },
  capabilities: anyObject,
});

/** What the server alone decides: shown, and passed over in the body of a PUT. */
const readOnly = (properties: Record<string, Part>): Record<string, Part> =>
  Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, { ...part, readOnly: true }]));

const connectorState = readOnly({ id, owner: orNull(string), created_at: time, updated_at: time, version: integer });

export const connector = object({ ...connectorState, ...(connectorSchema.properties as Record<string, Part>) });

const circuits: Part = {
  type: "object",
  description: "By destination: whether it is called.",
  additionalProperties: object({
    state: { enum: ["closed", "open", "half_open"] },
    since: { ...orNull(time), description: "When it was closed last." },
    reason: { ...orNull(string), description: "What the destination said when it opened." },
    failure_ratio: { type: ["number", "null"], description: "Share of records that had failed then, 0 to 1." },
  }),
};

const integrationState = readOnly({
  id,
  version: integer,
  status: { enum: ["enabled", "disabled"] },
  health: { enum: ["ok", "degraded", "stopped", "waiting"] },
  health_reason: orNull(string),
  circuits,
  durability: object({ tier: { enum: ["synced", "replicated", "server"] }, copies: integer }),
  created_at: time,
  updated_at: time,
  next_fire_at: orNull(time),
});

const pluginState = readOnly({
  id,
  serves: { ...orNull(object({ type: string, version: string })), description: "Null before it has said so." },
  state: object({ status: { enum: ["ready", "starting", "unavailable"] }, reason: orNull(string) }),
  version: integer,
  created_at: time,
  updated_at: time,
});

export const plugin: Part = {
  type: "object",
  properties: { ...pluginState, ...(pluginSchema.properties as Record<string, Part>) },
  required: ["name", ...Object.keys(pluginState)],
};

/** What of an integration may be left out in a body is left out in the answer, too. */
export const integration: Part = {
  type: "object",
  properties: { ...integrationState, ...(integrationSchema.properties as Record<string, Part>) },
  required: ["name", "enabled", ...Object.keys(integrationState)],
};

export const integrationBody: Part = {
  ...integrationSchema,
  properties: {
    ...(integrationSchema.properties as Record<string, Part>),
    source_connector_id: { ...id, description: "Id of the source's connector, in place of source.connector." },
    destination_connector_id: { ...id, description: "Id of the destination's connector, in place of its name." },
  },
};

const replacing = (body: Part, state: Record<string, Part>): Part => ({
  ...body,
  properties: { ...state, ...(body.properties as Record<string, Part>) },
});

/** Bodies of PUT: what GET answers can be sent back as it is. */
export const connectorReplacement = replacing(connectorSchema, connectorState);
export const integrationReplacement = replacing(integrationBody, integrationState);

/** The name is the path's. */
export const pluginReplacement: Part = { ...replacing(pluginSchema, pluginState), required: [] };

/** A body without what the server alone decides. */
export function writable(body: Json, { properties }: Part): Json {
  if (!isObject(body)) return body;
  const parts = properties as Record<string, Part>;
  const kept = Object.entries(body).filter(([name]) => !Object.hasOwn(parts, name) || parts[name]!.readOnly !== true);
  return Object.fromEntries(kept) as JsonObject;
}

export const runStatus: Part = { enum: ["running", "success", "partial", "failed", "cancelled"] };

const error: Part = {
  ...object({ code: string, message: string }),
  description: "With `path` of the setting at fault, where there is one.",
};

const runFields: Record<string, Part> = {
  id,
  integration_id: id,
  integration_version: integer,
  trigger: { enum: ["manual", "schedule", "webhook", "event"] },
  status: runStatus,
  started_at: time,
  finished_at: orNull(time),
  records_in: integer,
  records_out: integer,
  records_filtered: integer,
  records_failed: integer,
  by_destination: { type: "object", additionalProperties: object({ out: integer, failed: integer }) },
  error: orNull(error),
  waiting: { ...orNull(string), description: "Why the run does not move at the moment." },
};

const replayed = {
  job_id: { ...id, description: "The job whose dead letters it replays; left out: it reads its sources." },
};
const runOf = (fields: Record<string, Part>): Part => ({
  ...object(fields),
  properties: { ...fields, ...replayed },
});

export const run = runOf(runFields);

export const runDetail = runOf({
  ...runFields,
  circuits: { ...circuits, type: ["object", "null"], description: "By destination; null once the run has ended." },
  ledger,
  drift: {
    type: "array",
    description: "What records had that the stream's schema did not know, each once.",
    items: object({
      kind: { enum: ["new_field", "changed_type", "missing_field"] },
      path: string,
      expected: orNull(string),
      found: orNull(string),
      connector: string,
      stream: string,
      version: integer,
      seen_at: time,
    }),
  },
});

const fieldErrors: Part = { type: "array", items: object({ path: string, message: string }) };

const deadLetterFields: Record<string, Part> = {
  id,
  run_id: id,
  integration_id: id,
  integration_version: integer,
  record_id: string,
  step: orNull(string),
  destination: orNull(string),
  rule: orNull(integer),
  code: string,
  message: string,
  position: { ...object({ base: string, ordinal: integer }), description: "Where the record stood in its source." },
  attempt_count: integer,
  attempts: { type: "array", items: object({ at: time, code: string, message: string }) },
  errors: {
    ...fieldErrors,
    description: "All that is wrong with the record, where a schema says more than one thing.",
  },
  first_failed_at: time,
  last_attempted_at: time,
  fingerprint: string,
  trace_id: orNull(string),
  corrected_at: orNull(time),
  corrected_by: { ...orNull(string), description: "The name of the token that it was corrected with." },
  resolved: { type: "boolean" },
  resolution: { enum: ["replayed", "discarded", null] },
  resolution_reason: { ...orNull(string), description: "Why it was discarded." },
  resolved_at: orNull(time),
  resolved_by: { ...orNull(string), description: "The name of the token that discarded it, or asked for its replay." },
  resolved_run_id: { ...orNull(id), description: "The run that delivered it." },
};

export const deadLetter = object(deadLetterFields);

export const deadLetterDetail = object({
  ...deadLetterFields,
  payload: { ...anything, description: "The record as it entered the pipeline; null where it is no JSON." },
  raw: { ...string, description: "The same as text; bytes that are no UTF-8 as a data URL in base64." },
  state: { ...anything, description: "The record before the failing step; null where it never got there." },
  corrected: { ...orNull(anyObject), description: "What a replay takes in the place of the payload." },
});

export const deadLetterGroup = object({
  fingerprint: string,
  count: integer,
  first_failed_at: time,
  last_attempted_at: time,
  step: orNull(string),
  destination: orNull(string),
  rule: orNull(integer),
  code: string,
  message: { ...string, description: "As the example has it." },
  example_id: { ...id, description: "The newest of them." },
});

export const job = object({
  id,
  integration_id: id,
  kind: { enum: ["replay"] },
  status: { enum: ["running", "paused", "success", "partial", "failed", "cancelled"] },
  options: object({
    from: { enum: ["head", "step", null] },
    version: { enum: ["current", "original"] },
    rate: { type: ["number", "null"] },
  }),
  progress: {
    ...object({ done: integer, total: integer, passed: integer, failed: integer }),
    description: "In dead letters.",
  },
  error: orNull(error),
  created_at: time,
  created_by: { ...orNull(string), description: "The name of the token that asked for it." },
  finished_at: orNull(time),
});

export const dryRun = object({
  version: { ...integer, description: "The integration's, that they were tried under." },
  total: integer,
  checked: { ...integer, description: "Less than the total where time ran out." },
  passed: integer,
  failed: integer,
  untried: { ...integer, description: "Those that enter behind the steps: only their destination can tell." },
  failures: {
    type: "array",
    description: "The 20 most frequent.",
    items: object({ code: string, message: string, step: orNull(string), count: integer, example: id }),
  },
});

export const test = {
  ...object({ status: { enum: ["ok", "failed"] }, latency_ms: integer, sample_record: anything }),
  properties: { status: { enum: ["ok", "failed"] }, latency_ms: integer, sample_record: anything, error },
};

export const streams = object({
  streams: {
    type: "array",
    items: object({
      name: string,
      schema: { type: ["object", "boolean"] },
      key: { type: ["array", "null"], items: string },
      cursor_fields: { type: ["array", "null"], items: string },
    }),
  },
});

export const sample = object({ stream: string, records: { type: "array", items: anything } });

export const plan = object({
  dry_run: { type: "boolean" },
  changes: {
    type: "array",
    items: object({
      kind: { enum: ["plugin", "connector", "integration"] },
      name: string,
      action: { enum: ["create", "update", "unchanged"] },
      version: { ...object({ before: orNull(integer), after: integer }), description: "Null before it is made." },
      fields: {
        type: "array",
        items: { ...object({ path: string }), description: "With `before` and `after`, where they exist." },
      },
      notes: {
        type: "array",
        description: "What the change does besides changing fields; destructive: data or state is lost.",
        items: object({ path: string, message: string, destructive: { type: "boolean" } }),
      },
    }),
  },
  left: {
    type: "array",
    description: "What is there and not named: it is left as it is.",
    items: object({ kind: { enum: ["plugin", "connector", "integration"] }, name: string }),
  },
});

const shownRecords: Part = {
  ...object({
    count: integer,
    records: {
      type: "array",
      items: {
        ...object({ child: string, record: anyObject }),
        properties: {
          child: { ...string, description: "Which of the records made of one it is; empty for the record itself." },
          to: { ...string, description: "Where a route sends it." },
          record: anyObject,
        },
      },
    },
  }),
  description: "How many, and the first 20.",
};

const way: Record<string, Part> = {
  steps: {
    type: "array",
    description: "Steps that were reached, in their order.",
    items: object({
      step: string,
      type: string,
      in: shownRecords,
      out: shownRecords,
      failures: {
        type: "array",
        items: object({
          child: string,
          rule: { ...orNull(integer), description: "Index of the mapping rule." },
          code: string,
          message: string,
          errors: { ...fieldErrors, description: "All that is wrong, where a schema says more than one thing." },
          on_error: { enum: ["dead_letter", "drop", "stop"] },
        }),
      },
    }),
  },
  destinations: {
    type: "array",
    description: "What destinations would receive.",
    items: object({ destination: string, connector: string, stream: string, mode: string, in: shownRecords }),
  },
};

export const preview = object({
  records: {
    type: "array",
    items: object({
      record_id: string,
      position: {
        ...object({ base: string, ordinal: integer }),
        description: "Where the record stands in its source.",
      },
      record: { ...orNull(anyObject), description: "Null where it could not be read." },
      status: { enum: ["delivered", "aggregated", "filtered", "failed"] },
      failure: { ...orNull(object({ code: string, message: string })), description: "Why it got to no step." },
      ...way,
    }),
  },
  windows: { ...orNull(object(way)), description: "What aggregates give at the end: it descends from no one record." },
  totals: object({ in: integer, delivered: integer, aggregated: integer, filtered: integer, failed: integer }),
  truncated: { type: "boolean", description: "Whether something is counted and not shown." },
});

export const problem = object({
  type: string,
  title: string,
  status: integer,
  code: string,
  detail: string,
  errors: fieldErrors,
  request_id: string,
});

export const secrets = object({
  provider: { ...string, description: "Where the key-encryption key is." },
  key_version: { ...string, description: "The key that seals now." },
  versions: {
    type: "array",
    items: object({ key_version: string, sealed: integer, current: { type: "boolean" } }),
  },
});

export const rotation = object({
  provider: string,
  key_version: string,
  new_key: { type: "boolean", description: "Whether the key was made for this rotation." },
  rewrapped: integer,
  unchanged: { ...integer, description: "What was under this key before." },
  failed: { type: "array", items: object({ name: string, code: string, message: string }) },
});

const keyFields = {
  id,
  name: string,
  prefix: { ...string, description: "Its first characters, to know it by." },
  role: { enum: Object.keys(roles) },
  scopes: { type: ["array", "null"], items: string, description: "What of the role it may; null: all." },
  owner: orNull(string),
  created_by: orNull(string),
  created_at: time,
  expires_at: orNull(time),
  last_used_at: { ...orNull(time), description: "To the minute." },
  revoked_at: orNull(time),
} satisfies Record<string, Part>;

export const apiKey = object(keyFields);
export const newApiKey = object({ ...keyFields, key: { ...string, description: "Shown this once." } });

export const auditEntry = object({
  id,
  at: time,
  actor: { ...string, description: "Name of the key." },
  owner: orNull(string),
  request_id: orNull(string),
  action: { ...string, description: "Such as connector.updated." },
  resource_id: { ...orNull(string), format: "uuid", description: "Null: the platform as a whole." },
  resource_name: orNull(string),
  before: anything,
  after: anything,
});
