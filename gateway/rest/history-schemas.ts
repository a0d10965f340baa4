import type { Part } from "../../runtime/config/index.ts";
import { ledger } from "./ledger-schema.ts";
import {
  anyObject,
  anything,
  circuits,
  error,
  fieldErrors,
  id,
  integer,
  object,
  orNull,
  string,
  time,
} from "./schema-parts.ts";

/*
 * Shapes of runs, dead letters and jobs (contract section 14).
 */

export const runStatus: Part = { enum: ["running", "success", "partial", "failed", "cancelled"] };

export const runTrigger: Part = { enum: ["manual", "schedule", "webhook", "event", "invoke"] };

/** What is known of a request; what is not is left out. */
export const request: Part = {
  type: "object",
  properties: {
    id: { ...string, description: "Its X-Request-ID." },
    trace_id: { ...string, description: "Of its traceparent." },
    actor: { ...string, description: "Who asked: the name of a key, or a token's subject." },
    owner: { ...string, description: "The team of who asked." },
  },
};

const runFields: Record<string, Part> = {
  id,
  integration_id: id,
  integration_version: integer,
  trigger: runTrigger,
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
  request: { ...orNull(request), description: "That it was asked for with; null: it began by itself." },
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
  circuits: {
    ...circuits,
    type: ["object", "null"],
    description: "By destination, and by `step ID` for look-ups; null once the run has ended.",
  },
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

export const runSeries = object({
  run_id: id,
  interval_seconds: {
    type: "number",
    description: "Points are at least so far apart: it doubles as a run gets longer.",
  },
  points: {
    type: "array",
    description: "What it had counted until then, the oldest first.",
    items: object({
      at: time,
      records_in: integer,
      records_out: integer,
      records_filtered: integer,
      records_failed: integer,
    }),
  },
});

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
  request: { ...orNull(request), description: "That set the record going; null: none did." },
  corrected_at: orNull(time),
  corrected_by: { ...orNull(string), description: "The name of the token that it was corrected with." },
  resolved: { type: "boolean" },
  resolution: { enum: ["replayed", "discarded", null] },
  resolution_reason: { ...orNull(string), description: "Why it was discarded." },
  resolved_at: orNull(time),
  resolved_by: { ...orNull(string), description: "The name of the token that discarded it, or asked for its replay." },
  resolved_run_id: { ...orNull(id), description: "The run that delivered it." },
  version: { ...integer, description: "Grows with each correction, and when it is discarded." },
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
  first_version: { ...integer, description: "The oldest version of the integration under which one of them failed." },
  last_version: { ...integer, description: "The newest one." },
  step: orNull(string),
  destination: orNull(string),
  rule: orNull(integer),
  code: string,
  message: { ...string, description: "As the example has it." },
  example_id: { ...id, description: "The newest of them." },
});

export const jobStatus: Part = { enum: ["running", "paused", "success", "partial", "failed", "cancelled"] };

export const job = object({
  id,
  integration_id: id,
  kind: { enum: ["replay"] },
  status: jobStatus,
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
  version: {
    ...integer,
    description: "The integration's, that they were tried under, unless it was each under its own.",
  },
  total: integer,
  checked: { ...integer, description: "Less than the total where time ran out." },
  passed: integer,
  failed: integer,
  untried: { ...integer, description: "Those that enter behind the steps: only their destination can tell." },
  failures: {
    type: "array",
    description: "The 20 most frequent; those that differ in values alone are one, with the message of its example.",
    items: object({ code: string, message: string, step: orNull(string), count: integer, example: id }),
  },
});
