import { queryOptions } from "@tanstack/react-query";
import { api } from "../../api/client.ts";
import type { DeadLetter, IntegrationBody, Json, JsonObject } from "../../api/types.ts";

export interface Rule {
  /** As it is written. */
  readonly text: string;
  /** The field that it reads, as a field path; null: none, or more than one. */
  readonly path: string | null;
}

/** The mapping rule that refused a record, as the version had it under which that failed. Null: it was none. */
export const ruleQuery = ({ integration_id: id, integration_version: version, step, rule }: DeadLetter) =>
  queryOptions({
    queryKey: ["rule", id, version, step, rule],
    queryFn: async ({ signal }) => {
      if (rule === null) return null;
      const body = await api.get<IntegrationBody>(`/v1/integrations/${id}/versions/${version}`, {}, signal);
      return ruleOf(body, step, rule);
    },
    // A version never changes.
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

export function ruleOf(integration: IntegrationBody, step: string | null, index: number): Rule | null {
  const steps = integration.pipeline_spec?.steps;
  const own = Array.isArray(steps)
    ? (steps as readonly JsonObject[]).find(({ id }) => id === step)?.mapping
    : undefined;
  const rule = listOf(own)?.[index] ?? integration.mapping_spec?.[index];
  if (rule === undefined) return null;
  return { text: JSON.stringify(rule), path: typeof rule.source === "string" ? pathOf(rule.source) : null };
}

const listOf = (value: Json | undefined): readonly JsonObject[] | undefined =>
  Array.isArray(value) ? (value as readonly JsonObject[]) : undefined;

/** `$.a.b[0]` as `a.b[0]`; of a query that may find several, or that looks at the whole: null. */
export function pathOf(source: string): string | null {
  const [, path] =
    /^\$?\.?(?!\.)((?:[\p{L}_][\p{L}\p{N}_-]*|\[\d+\]|\["[^"]*"\]|\.(?=[\p{L}_]))+)$/u.exec(source) ?? [];
  return path ?? null;
}
