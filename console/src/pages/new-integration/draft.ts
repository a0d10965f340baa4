import { useCallback, useEffect, useState } from "react";
import type { ConnectorType, JsonObject } from "../../api/types.ts";
import { isReference, type Schema, withoutSecrets } from "../../components/schema-form/schema.ts";
import type { ConnectorDraft } from "../connectors/connector-draft.ts";
import type { Step } from "./search.ts";
import type { Match } from "./suggest.ts";

/** A source or a destination as far as it is chosen. */
export interface EndDraft {
  readonly connector: { readonly id: string; readonly name: string; readonly type: string } | null;
  /** Of a connector that is being made. */
  readonly type: string | null;
  readonly form: ConnectorDraft;
  readonly stream: string;
  readonly mode: string;
  /** What is read incrementally by, or the key of an upsert, several with commas. */
  readonly fields: string;
}

export interface TriggerDraft {
  readonly type: "manual" | "schedule" | "webhook" | "event";
  readonly cron: string;
  readonly timezone: string;
  readonly scheme: string;
  /** Of webhooks. */
  readonly secret: string;
}

export interface MappingDraft {
  /** copy: records go as they are. */
  readonly rule: "match" | "copy";
  readonly matches: readonly Match[];
  /** Of the source, what no rule takes. */
  readonly left: readonly string[];
}

export interface Draft {
  readonly name: string;
  readonly source: EndDraft;
  readonly destination: EndDraft;
  readonly trigger: TriggerDraft;
  /** A record as it will be sent: JSON. */
  readonly sample: string;
  /** Null: not looked at since source or destination changed. */
  readonly mapping: MappingDraft | null;
  readonly madeId: string | null;
  readonly runId: string | null;
}

const end: EndDraft = {
  connector: null,
  type: null,
  form: { name: "", config: {} },
  stream: "",
  mode: "",
  fields: "",
};
export const empty: Draft = {
  name: "",
  source: end,
  destination: end,
  trigger: { type: "manual", cron: "0 6 * * *", timezone: "", scheme: "bearer", secret: "" },
  sample: "",
  mapping: null,
  madeId: null,
  runId: null,
};

/** Schemas of the types' configs, by type. */
export const schemasOf = (types: readonly ConnectorType[]): ReadonlyMap<string, Schema> =>
  new Map(types.map(({ type, config }) => [type, config]));

/** A draft as it may stay in the browser: without secrets. A config whose schema is not known might hold some. */
export function keepable(draft: Draft, schemas: ReadonlyMap<string, Schema>): Draft {
  const endOf = (part: EndDraft): EndDraft => {
    const schema = schemas.get(part.type ?? part.connector?.type ?? "");
    const config = schema === undefined ? {} : ((withoutSecrets(schema, part.form.config) ?? {}) as JsonObject);
    return { ...part, form: { ...part.form, config } };
  };
  const { trigger } = draft;
  return {
    ...draft,
    source: endOf(draft.source),
    destination: endOf(draft.destination),
    trigger: { ...trigger, secret: isReference(trigger.secret) ? trigger.secret : "" },
  };
}

/** Each who signs in has a draft of their own. */
const placeOf = (who: string): string => `sluice.new-integration.${who}`;

function kept(who: string): Draft {
  try {
    const found = JSON.parse(sessionStorage.getItem(placeOf(who)) ?? "null") as Partial<Draft> | null;
    return { ...empty, ...found };
  } catch {
    return empty;
  }
}

/** What was put in so far; it outlives a reload, without secrets, and goes with the tab. */
export function useDraft(types: readonly ConnectorType[], who: string) {
  const [draft, setDraft] = useState(() => kept(who));
  useEffect(() => {
    if (draft === empty) sessionStorage.removeItem(placeOf(who));
    else sessionStorage.setItem(placeOf(who), JSON.stringify(keepable(draft, schemasOf(types))));
  }, [draft, types, who]);
  const change = useCallback((part: Partial<Draft>) => setDraft((former) => changed(former, part)), []);
  const begin = useCallback(() => setDraft(empty), []);
  return { draft, change, begin };
}

/** What follows of another source or destination is done anew. */
export function changed(former: Draft, part: Partial<Draft>): Draft {
  const next = { ...former, ...part };
  const isOther = (a: EndDraft, b: EndDraft) => a.connector?.id !== b.connector?.id || a.stream !== b.stream;
  const isMapped =
    isOther(former.source, next.source) ||
    isOther(former.destination, next.destination) ||
    former.sample !== next.sample ||
    (former.trigger.type === "webhook") !== (next.trigger.type === "webhook");
  return isMapped && part.mapping === undefined ? { ...next, mapping: null } : next;
}

/** What a step still wants; null: it is done. */
export function wantOf(draft: Draft, step: Step): string | null {
  const { source, destination, trigger } = draft;
  switch (step) {
    case "source":
      if (trigger.type === "webhook") return null;
      if (source.connector === null) return "Choose where records come from";
      return source.stream.trim() === "" ? "Choose a stream" : null;
    case "destination":
      if (destination.connector === null) return "Choose where records go";
      if (destination.stream.trim() === "") return "Choose a stream";
      return destination.mode === "upsert" && destination.fields.trim() === "" ? "Name the key" : null;
    case "mapping":
      return draft.mapping === null ? "Look at the mapping" : null;
    case "schedule":
      if (trigger.type === "schedule" && trigger.cron.trim() === "") return "Say when it runs";
      return trigger.type === "webhook" && trigger.scheme !== "none" && trigger.secret === "" ? "Give a secret" : null;
    case "review":
      return null;
  }
}
