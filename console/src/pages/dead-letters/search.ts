import { oneOf, type Search, text } from "../../lib/search.ts";

export const codes = [
  "VALIDATION_ERROR",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "CONFLICT",
  "BUSINESS_RULE",
  "RATE_LIMITED",
  "INTERNAL_ERROR",
  "UNAVAILABLE",
  "TIMEOUT",
] as const;

/** What chooses dead letters, in the words of the API. */
export interface Filter {
  code?: (typeof codes)[number] | undefined;
  step?: string | undefined;
  destination?: string | undefined;
  run_id?: string | undefined;
  fingerprint?: string | undefined;
  record_id?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** What the URL of an integration's dead letters holds. */
export interface DeadLettersSearch extends Filter {
  view?: "groups" | "records" | "jobs" | undefined;
  /** Left out: those that are not. */
  resolved?: "true" | "false" | "all" | undefined;
  sort?: "last_attempted_at" | "-last_attempted_at" | undefined;
  /** The one that is looked at. */
  letter?: string | undefined;
  /** The replay that was begun here. */
  job?: string | undefined;
}

export const deadLettersSearch = (search: Search): DeadLettersSearch => ({
  view: oneOf(search.view, ["groups", "records", "jobs"]),
  resolved: oneOf(search.resolved, ["true", "false", "all"]),
  code: oneOf(search.code, codes),
  step: text(search.step),
  destination: text(search.destination),
  run_id: text(search.run_id),
  fingerprint: text(search.fingerprint),
  record_id: text(search.record_id),
  since: text(search.since),
  until: text(search.until),
  sort: oneOf(search.sort, ["last_attempted_at", "-last_attempted_at"]),
  letter: text(search.letter),
  job: text(search.job),
});

/** The choice alone, without what is not chosen. */
export function filterOf(search: DeadLettersSearch): Filter {
  const { code, step, destination, run_id, fingerprint, record_id, since, until } = search;
  const given = { code, step, destination, run_id, fingerprint, record_id, since, until };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
