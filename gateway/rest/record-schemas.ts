import type { Part } from "../../runtime/config/index.ts";
import { deadLetter, request } from "./history-schemas.ts";
import { anything, id, integer, object, orNull, string, time } from "./schema-parts.ts";

/*
 * Shapes of what became of a record.
 */

const status = {
  destination: ["delivered", "waiting", "retrying", "dead_lettered", "replayed", "discarded", "dropped", "unknown"],
  event: [
    "received",
    "logged",
    "attempt_failed",
    "next_attempt",
    "dead_lettered",
    "corrected",
    "replayed",
    "discarded",
    "delivered",
  ],
};

const attempts: Part = { type: "array", items: object({ at: time, code: string, message: string }) };

/** `steps` and `shown` are those of a preview. */
export const followedSchema = (steps: Part, shown: Part): Part =>
  object({
    items: {
      type: "array",
      items: object({
        record_id: string,
        sequence: {
          ...orNull(integer),
          description: "Of its message in the ingest log; null: it is not there any more.",
        },
        stream: orNull(string),
        ingested_at: { ...orNull(time), description: "When its batch was read or received." },
        logged_at: { ...orNull(time), description: "When it was in the log." },
        run_id: id,
        run_status: orNull(string),
        integration_version: { ...integer, description: "That was in force." },
        position: { ...object({ base: string, ordinal: integer }), description: "Where it stood in its source." },
        request: { ...orNull(request), description: "That set it going; null: none did." },
        trace_id: orNull(string),
        trace_url: { ...orNull(string), description: "Where the trace is shown (SLUICE_TRACE_URL); null: not set." },
        replay: {
          ...orNull(object({ job_id: id, dead_letter_id: id })),
          description: "Of which dead letter it is the replay.",
        },
        record: { ...anything, description: "As it entered the steps; null where it is none." },
        failure: { ...orNull(string), description: "Why it came to no step." },
        status: {
          enum: [...status.destination, "filtered", "aggregated"],
          description: "Of its outcomes the one that wants attention first.",
        },
        steps: {
          ...steps,
          type: ["array", "null"],
          description:
            "What each step makes of it, taken again under that version as a preview does (look-ups are asked again); null: see steps_reason.",
        },
        steps_reason: orNull(string),
        truncated: {
          type: "boolean",
          description: "Some of what the steps give is counted and not shown: 20 records each are, and 4 MiB of all.",
        },
        repeatable: { type: "boolean", description: "The steps give the same each time: no look-up, no script." },
        destinations: {
          type: "array",
          items: object({
            destination: string,
            connector: string,
            stream: string,
            mode: string,
            status: { enum: status.destination },
            in: { ...orNull(shown), description: "What it was given, or would be; null: not known." },
            attempts: { ...attempts, description: "Those that failed." },
            next_attempt_at: orNull(time),
            delivered_by: { ...orNull(time), description: "The time by which it was delivered, at the latest." },
            dead_letter_ids: { type: "array", items: id },
          }),
        },
        dead_letters: { type: "array", items: deadLetter },
        events: {
          type: "array",
          description: "What happened to it, and is to happen, in the order of time.",
          items: object({
            at: time,
            type: { enum: status.event },
            step: orNull(string),
            destination: orNull(string),
            code: orNull(string),
            message: orNull(string),
            dead_letter_id: orNull(id),
          }),
        },
      }),
    },
    searched: object({
      by: { enum: ["record_id", "key", "dead_letter"] },
      messages: { ...integer, description: "Of the log, that were looked at." },
      since: { ...orNull(time), description: "How far back they go; null: there was none." },
      complete: { type: "boolean", description: "All of the range was looked at, or enough was found." },
      cut: { enum: ["messages", "time", null], description: "Why it was not looked further." },
    }),
  });
