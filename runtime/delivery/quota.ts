import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedDelivery } from "../config/index.ts";

export type RateLimits = ResolvedDelivery["rateLimit"];

/** Calls that may be made until a time, or were: then it is the time of the last of them. */
export interface Grant {
  readonly until: number;
  readonly calls: number;
}

/** What all nodes know of the calls to a destination. Times are milliseconds since the epoch, by the store's clock. */
export interface Quota {
  readonly grants: readonly Grant[];
  /** Since the epoch, UTC. */
  readonly day: number;
  /** Calls granted on that day. */
  readonly used: number;
}

export type Reservation =
  | { readonly quota: Quota; readonly grant: Grant }
  | { readonly waitMs: number; readonly limit: "minute" | "day" };

const secondMs = 1_000;
const minuteMs = 60_000;
const dayMs = 86_400_000;
/** Calls of a grant that are not made by then are lost, unless its node gives them back. */
const grantMs = 2_000;
/** By which two nodes may misjudge the store's clock. */
const marginMs = 100;

const none: Quota = { grants: [], day: 0, used: 0 };

export function parseQuota(state: Json | null): Quota {
  if (state === null) return none;
  const { grants, day, used } = state as JsonObject;
  return {
    grants: (grants as [number, number][]).map(([until, calls]) => ({ until, calls })),
    day: day as number,
    used: used as number,
  };
}

export function quotaState({ grants, day, used }: Quota): Json {
  return { grants: grants.map(({ until, calls }) => [until, calls]), day, used };
}

/**
 * Grants up to `calls` calls, or says how long none is left. In any minute no more calls are made than are granted at
 * its last one: a grant counts until a minute after the last call that may have been made of it.
 */
export function reserve(quota: Quota, { perMinute, perDay }: RateLimits, calls: number, now: number): Reservation {
  const grants = quota.grants.filter(({ until }) => until + minuteMs + marginMs > now);
  // A clock that is behind gives no day a second time.
  const day = Math.max(quota.day, Math.floor(now / dayMs));
  const used = day === quota.day ? quota.used : 0;
  const midnight = (day + 1) * dayMs;
  if (perDay !== null && (used >= perDay || midnight - now <= marginMs)) {
    return { waitMs: Math.max(1, midnight - now), limit: "day" };
  }
  const inMinute = grants.reduce((sum, grant) => sum + grant.calls, 0);
  if (perMinute !== null && inMinute >= perMinute) {
    const first = Math.min(...grants.map(({ until }) => until));
    return { waitMs: first + minuteMs + marginMs - now, limit: "minute" };
  }
  const granted = Math.min(calls, (perMinute ?? Infinity) - inMinute, (perDay ?? Infinity) - used);
  const until = perDay === null ? now + grantMs : Math.min(now + grantMs, midnight - marginMs);
  const grant = { until, calls: granted };
  // Without a limit of the minute only the latest are of interest, to whoever takes over.
  const kept = perMinute === null ? grants.filter(({ until }) => until + grantMs > now) : grants;
  return { quota: { grants: [...kept, grant], day, used: used + granted }, grant };
}

/**
 * What of a grant was not used is there for others again. Calls of a second become one grant, so that a minute has few,
 * and what comes free comes free together.
 */
export function settle(quota: Quota, grant: Grant, made: Grant): Quota {
  const index = quota.grants.findIndex(({ until, calls }) => until === grant.until && calls === grant.calls);
  if (index < 0) return quota;
  const until = Math.ceil(made.until / secondMs) * secondMs;
  const rest = quota.grants.toSpliced(index, 1);
  const same = rest.findIndex((each) => each.until === until);
  const calls = made.calls + (rest[same]?.calls ?? 0);
  const grants = made.calls === 0 ? rest : same < 0 ? [...rest, { until, calls }] : rest.with(same, { until, calls });
  const sameDay = Math.floor(grant.until / dayMs) === quota.day;
  return { ...quota, grants, used: sameDay ? quota.used - (grant.calls - made.calls) : quota.used };
}
