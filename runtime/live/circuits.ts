import type { ResolvedIntegration } from "../config/index.ts";
import type { CircuitState } from "../ports/live.ts";
import type { OpenCircuit, OpenCircuits } from "../ports/store.ts";

const closed: CircuitState = { state: "closed", since: null, reason: null, failure_ratio: null };

/** Of each destination, and each step that looks up. One that is to be tried again is half open until that has passed. */
export function circuitStates(
  { destinations, steps }: Pick<ResolvedIntegration, "destinations" | "steps">,
  open: OpenCircuits,
  now: number,
): Record<string, CircuitState> {
  const lookUps = steps.filter(({ type }) => type === "enrich").map(({ id }) => `step ${id}`);
  const names = [...destinations.map(({ id }) => id), ...lookUps];
  return Object.fromEntries(
    names.map((name) => [name, Object.hasOwn(open, name) ? circuitState(open[name] as OpenCircuit, now) : closed]),
  );
}

function circuitState({ since, until, reason, failureRatio: failure_ratio }: OpenCircuit, now: number): CircuitState {
  return { state: now < until ? "open" : "half_open", since: new Date(since).toISOString(), reason, failure_ratio };
}
