import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { connectorSchema, integrationSchema, type Part, pluginSchema } from "../../runtime/config/index.ts";
import { isObject } from "../../runtime/record/index.ts";
import { roles, scopes } from "../auth/index.ts";
import { followedSchema } from "./record-schemas.ts";
import {
  anyObject,
  anything,
  circuits,
  durability,
  error,
  fieldErrors,
  id,
  integer,
  object,
  orNull,
  string,
  time,
} from "./schema-parts.ts";

export * from "./history-schemas.ts";

/*
 * Shapes of what the API answers (contract section 14), for its documentation.
 */

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

const integrationState = readOnly({
  id,
  version: integer,
  status: { enum: ["enabled", "disabled"] },
  health: { enum: ["ok", "degraded", "stopped", "waiting"] },
  health_reason: orNull(string),
  circuits,
  durability,
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

export const fire = object({ at: time });

const versionState = readOnly({
  version: integer,
  created_at: time,
  created_by: { ...orNull(string), description: "Who made it; null where nobody asked for it, or it is not known." },
});

/** As lists show it. */
export const integrationVersion = object({ ...versionState, name: string, enabled: { type: "boolean" } });

export const integrationVersionDetail: Part = {
  type: "object",
  properties: { ...versionState, ...(integrationSchema.properties as Record<string, Part>) },
  required: ["name", "enabled", ...Object.keys(versionState)],
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

export const followed = followedSchema(way.steps as Part, shownRecords);

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
  scopes: { type: ["array", "null"], items: { enum: [...scopes] }, description: "What of the role it may; null: all." },
  owner: orNull(string),
  rate_limit: {
    type: ["integer", "null"],
    description: "Requests a minute on a node; 0: as many as it likes; null: as many as everybody.",
  },
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
  actor_id: { ...orNull(string), description: "Id of the key, or of the token's subject; null: not known." },
  owner: orNull(string),
  request_id: orNull(string),
  action: { ...string, description: "Such as connector.updated." },
  resource_id: { ...orNull(string), format: "uuid", description: "Null: the platform as a whole." },
  resource_name: orNull(string),
  before: anything,
  after: anything,
});

const invokeError = object({ code: string, message: string });

export const invoked = object({
  record_id: { ...orNull(string), description: "As in dead letters." },
  run_id: { ...orNull(id), description: "The run that it is part of." },
  status: {
    enum: ["delivered", "partial", "aggregated", "filtered"],
    description: "partial: a destination has it, and another does not, as by_destination says.",
  },
  kept: { type: ["boolean", "null"] },
  record: {
    ...anything,
    description:
      "What came of it: where that is one record, the same for every destination, and not too large for an answer.",
  },
  by_destination: {
    type: "object",
    additionalProperties: object({
      status: { enum: ["delivered", "failed", "pending", "dropped", "unknown"] },
      out: { ...integer, description: "Records confirmed." },
      failed: { ...integer, description: "Records given up: they are dead letters." },
      records: {
        type: "array",
        items: anything,
        description: "What it gets, the first 100; none where they are too large for an answer.",
      },
      error: {
        type: ["object", "null"],
        properties: { code: string, message: string, attempts: integer },
        description: "What it said last, where not all is delivered.",
      },
    }),
  },
  failures: {
    type: "array",
    description: "In steps, of the record or of what a step made of it.",
    items: object({
      step: orNull(string),
      rule: orNull(integer),
      code: string,
      message: string,
      errors: fieldErrors,
      dropped: { type: "boolean", description: "The step's on_error lets it go." },
    }),
  },
  reason: { ...invokeError, type: ["object", "null"] },
});
