import type { IntegrationBody, JsonObject } from "../../api/types.ts";
import type { Draft, EndDraft } from "./draft.ts";
import type { Match } from "./suggest.ts";

/** The integration that a draft describes, not enabled yet. */
export function bodyOf(draft: Draft): IntegrationBody {
  const { source, destination, trigger, mapping } = draft;
  const rules = mapping?.rule === "match" ? mapping.matches.flatMap(ruleOf) : [];
  const triggers: Record<typeof trigger.type, JsonObject> = {
    manual: { type: "manual" },
    event: { type: "event" },
    schedule: { type: "schedule", cron: trigger.cron.trim(), timezone: trigger.timezone || "UTC" },
    webhook: {
      type: "webhook",
      auth: { scheme: trigger.scheme, ...(trigger.scheme !== "none" && { secrets: [trigger.secret] }) },
    },
  };
  return {
    name: draft.name.trim() || nameOf(draft),
    ...(trigger.type !== "webhook" && { source: sourceOf(source) }),
    destination: destinationOf(destination),
    trigger: triggers[trigger.type] as NonNullable<IntegrationBody["trigger"]>,
    ...(rules.length > 0 && { mapping_spec: rules }),
    enabled: false,
  };
}

function sourceOf({ connector, stream, mode, fields }: EndDraft): JsonObject {
  return {
    connector: connector?.name ?? "",
    stream: stream.trim(),
    ...(mode === "incremental" && { mode, ...(fields.trim() !== "" && { cursor_field: fields.trim() }) }),
  };
}

function destinationOf({ connector, stream, mode, fields }: EndDraft): JsonObject {
  const key = fields.split(",").flatMap((field) => field.trim() || []);
  return {
    connector: connector?.name ?? "",
    stream: stream.trim(),
    ...(mode !== "" && { mode }),
    ...(mode === "upsert" && { key }),
  };
}

const ruleOf = ({ source, destination, cast }: Match): JsonObject[] =>
  source === null ? [] : [{ source, destination, ...(cast !== null && { cast }) }];

/** A name that says what goes where: small letters, digits and hyphens. */
export function nameOf({ source, destination, trigger }: Draft): string {
  const from = trigger.type === "webhook" ? "webhooks" : plain(source.stream);
  const name = `${from || "records"}-to-${plain(destination.connector?.name ?? "") || "destination"}`;
  return name.slice(0, 63).replace(/-+$/, "");
}

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/\.(ndjson|jsonl|json|csv)(\.gz)?$/, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 28);
