import { closed, duration, fieldPath, integer, list, number, oneOfWords, type Part } from "./schema-parts.ts";

/** Settings that exist with their defaults where they are left out. */
const group = (description: string, fields: Record<string, Part>): Part => ({
  ...closed(description, fields),
  default: {},
});

/** `delivery` of an integration. The defaults stand here and nowhere else: `resolveIntegration` reads them. */
export const deliverySchema: Part = group("How records are delivered to every destination.", {
  ordering: oneOfWords("What keeps the source's order.", ["none", "key", "strict"], "none"),
  key: list(
    "Fields whose values keep their order among themselves; required by ordering key.",
    fieldPath("A field."),
    1,
  ),
  batch: group("How much is written at once; whichever comes first.", {
    records: integer("Records.", 1, 500),
    bytes: integer("Bytes.", 1, 100_000),
    linger: duration("How long a batch that is not full waits.", "50ms"),
  }),
  retry: group("Attempts at a record that fails for a passing reason.", {
    max_attempts: integer("Attempts in all, the first included.", 1, 12),
    initial: duration("Wait before the second attempt.", "1s"),
    max: duration("Longest wait.", "5m"),
    multiplier: number("Factor from one wait to the next.", 1, 1_000, 2),
    jitter: number("Share of a wait that is random.", 0, 1, 0.2),
  }),
  circuit_breaker: group("Stops writing to a destination that fails; the records wait.", {
    failure_percent: number(
      "Share of failed calls that opens the circuit, of at least 10; a call counts by its records.",
      1,
      100,
      50,
    ),
    window: duration("Time over which calls are counted.", "60s"),
    open_for: duration("How long the circuit stays open.", "30s"),
    half_open_requests: integer("Calls that try whether it may close.", 1, 1),
  }),
  rate_limit: group(
    "Upper bounds of the calls to a destination, and of the look-ups of each enrich step: of HTTP requests, else of tries to write a batch, or to look up for one; left out: none.",
    {
      per_minute: integer("Calls in any minute.", 1),
      burst: integer("Calls in any second.", 1),
      per_day: integer("Calls a day, which ends at 00:00 UTC.", 1),
    },
  ),
  timeout: group("How long a write, a look-up or the next batch of a source may take.", {
    connect: duration("Until connected to a destination; for sources and look-ups their connector says it.", "5s"),
    read: duration("For a destination's answer, or the next piece of it; as above.", "30s"),
    total: duration("In all.", "60s"),
  }),
  idempotency: group("Records seen before are done without a call.", {
    key: fieldPath("What identifies a record; left out: its id."),
    window: duration("How long a key is remembered; left out: not at all."),
  }),
  dead_letter: group("Records that could not be delivered.", {
    alert_depth: integer("Number of dead letters above which an alert is raised; left out: never.", 1),
  }),
});
