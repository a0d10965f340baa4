import { randomUUIDv7 } from "node:crypto";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { RetryLaterError, SluiceError, unknownName } from "../../runtime/errors/index.ts";
import { compilePredicate } from "../../runtime/mapping/index.ts";
import {
  type TapFilter,
  type TapInterest,
  type Tapped,
  tapInterests,
  tapLeaseMs,
  tapped,
} from "../../runtime/ports/taps.ts";
import { found, refuse, type ServiceContext } from "./context.ts";

/** Of a listener who reads slowly: what is beyond is counted and left out. */
const heldRecords = 1_000;
/** Listeners at once on this node. */
const mostTaps = 32;

/** Live records of an integration, a sample of them, on whichever node it runs. */
export function tapService({ store, cluster }: ServiceContext) {
  /**
   * Begins with an empty answer, once all nodes have been told; ends when the signal aborts. Throws NOT_FOUND,
   * VALIDATION_ERROR, and RATE_LIMITED where too many listen.
   */
  return async function* tap(id: string, filter: TapFilter, signal: AbortSignal): AsyncGenerator<Tapped> {
    const { spec, owner } = found(await store.integrations.get(id), "integration", id);
    check(spec, filter);
    if (listening >= mostTaps)
      throw new RetryLaterError(`${mostTaps} taps are open on this node`, 10_000, "RATE_LIMITED");
    const interest: TapInterest = { id: randomUUIDv7(), integrationId: id, owner, ...filter };
    const tell = (more?: { readonly ended: true }) =>
      cluster.publish(tapInterests, { ...interest, ...more } as unknown as Json);
    let held: Tapped = { records: [], skipped: 0 };
    let wake = Promise.withResolvers<void>();
    const unsubscribe = cluster.subscribe(tapped(interest.id), (message) => {
      const { records, skipped } = message as unknown as Tapped;
      const room = heldRecords - held.records.length;
      const left = Math.max(0, records.length - room);
      held = { records: [...held.records, ...records.slice(0, room)], skipped: held.skipped + skipped + left };
      wake.resolve();
    });
    const end = () => wake.resolve();
    signal.addEventListener("abort", end, { once: true });
    const lease = setInterval(tell, tapLeaseMs / 3);
    listening++;
    try {
      tell();
      yield held;
      while (!signal.aborted) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        const given = held;
        held = { records: [], skipped: 0 };
        if (given.records.length > 0 || given.skipped > 0) yield given;
      }
    } finally {
      listening--;
      clearInterval(lease);
      signal.removeEventListener("abort", end);
      unsubscribe();
      tell({ ended: true });
    }
  };
}

let listening = 0;

/** Names that the integration has, and a predicate that can be tried on each record as it passes. */
function check(spec: JsonObject, { step, destination, where }: TapFilter): void {
  const { steps, destinations } = resolveIntegration(spec);
  const known = (path: string, name: string | null, names: readonly string[]) =>
    name === null || names.includes(name) ? [] : [{ path, message: unknownName(path, name, names) }];
  refuse([
    ...known("step", step, ["source", ...steps.map(({ id }) => id)]),
    ...known(
      "destination",
      destination,
      destinations.map(({ id }) => id),
    ),
    ...(step !== null && destination !== null
      ? [{ path: "destination", message: "stands beside step; give one" }]
      : []),
  ]);
  if (where === null) return;
  try {
    compilePredicate(where);
  } catch (error) {
    const { message } = error as SluiceError;
    throw new SluiceError("VALIDATION_ERROR", `filter: ${message}`, [{ path: "filter", message }], error);
  }
}
