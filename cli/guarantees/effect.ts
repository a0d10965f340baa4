import type { ResolvedDestination, ResolvedIntegration } from "../../runtime/config/index.ts";

/** How often a record may be seen at a destination. */
export interface Effect {
  /** Whatever crashes, it is there once. */
  readonly once: boolean;
  readonly promise: string;
  readonly limits: readonly string[];
}

const inHand = "what was in hand (up to 16 messages of about 100 kB) or not committed yet";
/** Keys make the commits fewer. */
const inHandWithKeys = "up to 10,000 records and what was in hand (up to 16 messages of about 100 kB)";

/** What a destination makes of records that are written again. A type that is not known is promised the least. */
export function effectOf(
  { mode, key }: ResolvedDestination,
  type: string | undefined,
  integration: ResolvedIntegration,
): Effect {
  const { delivery, steps } = integration;
  if (type === "postgres" && mode === "upsert") return once(`exactly once by upsert on ${key.join(", ")}`, keyTells);
  const remembered = delivery.idempotency.windowMs !== null;
  if (type === "file" && mode === "replace")
    return once(
      "exactly once: the file is replaced when the run is complete",
      "no other program writes to the file",
      ...(remembered ? ["no key is in two batches that are in hand at once"] : []),
    );
  if (type === "postgres" && mode === "append" && remembered)
    return once(
      "exactly once within the window: a record's key is kept in the transaction that writes it",
      "the role may make tables in the table's schema, or use those that are there (_sluice_owners, _sluice_processed); else the node's log says so, and a crash repeats what was in hand",
      ...(delivery.idempotency.key === null ? [] : ["the steps give a record the same key again"]),
    );
  // Windows and keys may leave other records in what is written again: it is not shown that a file knows them.
  const sameAgain = delivery.ordering === "strict" && !remembered && !steps.some(({ type }) => type === "aggregate");
  if (type === "file" && mode === "append" && sameAgain)
    return once(
      "exactly once: what comes again after a crash is recognized in the file",
      "no other program writes to the file",
      "the steps make the same of a record again: no random values, no look-up that changed",
      "not of a file with gzip, unless it is one JSON array",
    );
  return {
    once: false,
    promise: `at least once: a crash repeats ${remembered ? inHandWithKeys : inHand}`,
    limits: [
      "a write whose confirmation was lost (timeout, broken connection) is repeated",
      "a stop of the node repeats nothing",
      ...advice(type, mode),
    ],
  };
}

const once = (promise: string, ...limits: readonly string[]): Effect => ({ once: true, promise, limits });
const keyTells = "the key tells the records apart, and the steps give a record the same key again";

function advice(type: string | undefined, mode: string): string[] {
  if (type === "file" && mode === "append")
    return ["delivery.ordering strict makes it exactly once, without windows and idempotency keys"];
  if (type === "postgres") return ["mode upsert makes it exactly once, and so does delivery.idempotency.window"];
  if (type === "kafka")
    return ["what the producer sends again by itself is there once; write.id_header lets readers tell the rest"];
  if (type === undefined) return ["the connector is not in these files: its type is not known here"];
  return [];
}
