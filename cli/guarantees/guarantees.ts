import type {
  ResolvedDestination,
  ResolvedIntegration,
  ResolvedSource,
  ResolvedStep,
} from "../../runtime/config/index.ts";
import { effectOf } from "./effect.ts";
import { promises } from "./promises.ts";
import { loadLike, type Shown, scenariosFor } from "./scenarios.ts";

/** What is promised of one thing in an integration's own configuration. */
export interface Guarantee {
  /** `order`, `duplicates`; with the id or name of what it is about: `duplicates crm`. */
  readonly about: string;
  readonly promise: string;
  /** Where the promise ends. */
  readonly limits: readonly string[];
  /** Tests, or folders of them, by their paths in the clone. */
  readonly held_by: readonly string[];
  readonly shown_by: Shown;
}

/** A guarantee before its scenarios are looked up. */
interface Told extends Omit<Guarantee, "shown_by"> {
  readonly name: keyof typeof promises;
  /** Of one destination; else of all. */
  readonly destination?: ResolvedDestination;
  readonly load?: string;
}

/** What the integration's connectors and the node's servers are. */
export interface Surroundings {
  /** The type of a connector; undefined where it is not known. */
  typeOf(connector: string): string | undefined;
  /** `elsewhere`: a server that was named by its address, whose settings cannot be seen from here. */
  readonly nats: "embedded" | "replicated" | "external" | "elsewhere";
  readonly postgres: "embedded" | "external" | "elsewhere";
}

const entry = (name: keyof typeof promises, about: string, promise: string, ...limits: readonly string[]): Told => ({
  name,
  about,
  promise,
  limits,
  held_by: promises[name].heldBy,
});

/** What sluice promises of an integration as it is configured, in the order in which one would ask. */
export function guaranteesOf(integration: ResolvedIntegration, surroundings: Surroundings): Guarantee[] {
  const { trigger, steps, destinations, sources } = integration;
  const { ordering } = integration.delivery;
  const windows = steps.filter((step) => step.type === "aggregate");
  const told: readonly Told[] = [
    loss(integration),
    ...sources.map((each) => source(each, surroundings)),
    ...destinations.map((each) => duplicates(each, integration, surroundings)),
    order(integration, surroundings),
    ...windows.map((step) => entry("windows", `window ${step.id}`, windowText(step.window))),
    entry("counts", "counts", "each record counts once, however often it came: in = out + filtered + failed"),
    failures(integration),
    ...delivery(integration),
    ...(trigger.type === "schedule" ? [schedule(trigger)] : []),
    ...(trigger.type === "event"
      ? [
          entry(
            "event",
            "event",
            "is read all the time; where an hour's run ends the next goes on, and none has less or more",
          ),
        ]
      : []),
    ...(trigger.type === "webhook"
      ? [
          entry(
            "webhook",
            "webhook",
            "what is answered 202 is in the log, and delivered; what is sent again with its id is kept once",
            "without an id (see docs/hooks.md) each request is a record",
          ),
        ]
      : []),
    entry(
      "oneOwner",
      "one owner",
      "runs on one node at a time, and its runs never overlap",
      ...takenOver(integration, surroundings),
    ),
    entry("nodes", "nodes", "of a node that dies another goes on within about five seconds; one that stops hands over"),
    entry("memory", "memory", "bounded however slow a destination is: the log fills, then the source waits"),
    entry("lostData", "lost data", "a server that comes back without what it had confirmed is found out, and told"),
    durability(surroundings),
  ];
  return told.map(({ name, destination, load = null, ...rest }) => {
    const types = (destination ? [destination] : destinations).map(({ connector }) => surroundings.typeOf(connector));
    const scenarios = scenariosFor(name, { types, ordering, nats: surroundings.nats });
    return { ...rest, shown_by: { scenarios, load } };
  });
}

function takenOver({ destinations }: ResolvedIntegration, { typeOf }: Surroundings): string[] {
  const fenced = ({ connector, mode }: ResolvedDestination) =>
    typeOf(connector) === "postgres" || (typeOf(connector) === "file" && mode === "replace");
  return [
    ...destinations.filter(fenced).map(({ id }) => `${id} takes nothing of a former owner that was paused`),
    ...destinations
      .filter((each) => !fenced(each))
      .map(({ id }) => `${id}: of a former owner that was paused, the writes under way may still arrive`),
  ];
}

function loss({ steps, contract }: ResolvedIntegration): Told {
  const dropping = steps.filter(({ onError }) => onError === "drop").map(({ id }) => id);
  return entry(
    "atLeastOnce",
    "loss",
    "none: each record that was read is confirmed by its destinations, filtered, or a dead letter",
    ...(dropping.length > 0
      ? [`on_error: drop in ${dropping.join(", ")}: what fails there is filtered, not kept`]
      : []),
    ...(contract === "discard_record" ? ["schema.contract discard_record: what drifted is filtered, not kept"] : []),
    ...(contract === "discard_value" ? ["schema.contract discard_value: fields that drifted are left out"] : []),
  );
}

function source({ connector, stream, mode }: ResolvedSource, { typeOf }: Surroundings): Told {
  const goesOn = "goes on where the last record in the log was";
  const overlapping = mode === "incremental" && typeOf(connector) === "postgres";
  return entry(
    "cursor",
    `source ${connector}`,
    mode === "incremental"
      ? `${stream}, incremental: each run ${goesOn}`
      : `${stream}, ${mode}: each run reads all; after a crash it ${goesOn}`,
    ...(overlapping
      ? [
          "rows written while a run lasted come again in the next run",
          "of a view or a query, a transaction that commits more than ten minutes late is missed",
        ]
      : []),
    ...(typeOf(connector) === "kafka"
      ? [
          "messages that were deleted before they were read are a dead letter that names them (on_lost)",
          "in a group, what a member that died had read and not committed comes again at another one",
        ]
      : []),
  );
}

function duplicates(
  destination: ResolvedDestination,
  integration: ResolvedIntegration,
  { typeOf }: Surroundings,
): Told {
  const { delivery, destinations, sources } = integration;
  const type = typeOf(destination.connector);
  const { once, promise, limits } = effectOf(destination, type, integration);
  const { key, windowMs } = delivery.idempotency;
  const remembered =
    windowMs === null
      ? []
      : [
          `${key ?? "the record's id"} confirmed within ${time(windowMs)} is not written again${once ? "" : ", but for crashes"}`,
        ];
  const union = destination.needs.length > 1 ? ["a record that comes over several branches is written for each"] : [];
  const again = destination.mode === "append" && windowMs === null && sources.some(({ mode }) => mode === "full");
  return {
    name: once ? "exactlyOnce" : "repeats",
    destination,
    load: loadLike(destination, type, integration),
    about: destinations.length === 1 ? "duplicates" : `duplicates ${destination.id}`,
    promise,
    limits: [
      ...limits,
      ...remembered,
      ...union,
      ...(again ? ["a source in mode full: each run appends all of it again"] : []),
    ],
    held_by: [
      ...new Set([
        ...(once ? promises.exactlyOnce.heldBy : promises.repeats.heldBy),
        ...(windowMs === null ? [] : promises.idempotency.heldBy.filter((test) => !once || !test.includes("chaos"))),
      ]),
    ],
  };
}

function order({ delivery, sources, destinations }: ResolvedIntegration, { typeOf }: Surroundings): Told {
  const { ordering, key } = delivery;
  const merged = sources.length > 1 ? ["each source by itself: between sources there is no order"] : [];
  if (ordering === "none") {
    const upserts = destinations.some(({ mode }) => mode === "upsert");
    const newest = "of several records of one row the last written stays, which need not be the newest";
    const none = "none: batches overtake each other, and what is tried again comes later";
    return { ...entry("order", "order", none, ...(upserts ? [newest] : [])), held_by: [] };
  }
  const outside = destinations.filter(
    ({ mode, key: row }) => ordering === "key" && mode === "upsert" && !key.every((field) => row.includes(field)),
  );
  const unknown = destinations.filter(({ connector }) => typeOf(connector) === "blackhole").map(({ id }) => id);
  const told = entry(
    "order",
    "order",
    ordering === "key"
      ? `records of equal ${key.join(", ")} are written in the source's order`
      : "all records are written in the source's order",
    ...merged,
    "a dead letter lets the others go on; replayed, it comes behind them",
    "after a crash what was in hand is repeated in order: a row may be older for a moment, and ends right",
    "a write that timed out or lost its node may still be carried out behind newer ones",
    ...outside.map(({ id }) => `${id}: records of one row may differ in ${key.join(", ")}; those have no order`),
    ...unknown.map((id) => `${id} keeps nothing`),
  );
  return { ...told, load: ordering };
}

function windowText({ count, durationMs }: Extract<ResolvedStep, { type: "aggregate" }>["window"]): string {
  const ends = [count === null ? "" : `${count} records`, durationMs === null ? "" : time(durationMs)].filter(Boolean);
  return `each record is in exactly one window, closed after ${[...ends, "the run's end"].join(" or ")}`;
}

function failures({ steps, contract }: ResolvedIntegration): Told {
  const stopping = steps.filter(({ onError }) => onError === "stop").map(({ id }) => id);
  return entry(
    "steps",
    "refusals",
    `what a step refuses is a dead letter that can be replayed; schema.contract ${contract}`,
    ...(stopping.length > 0 ? [`on_error: stop in ${stopping.join(", ")}: the run fails, the record stays`] : []),
  );
}

function delivery({ delivery: { retry, circuitBreaker, rateLimit, timeout } }: ResolvedIntegration): Told[] {
  const { maxAttempts, initialMs, maxMs } = retry;
  const { failurePercent, minimumCalls, windowMs, openForMs } = circuitBreaker;
  const limits = [
    rateLimit.perMinute === null ? "" : `${rateLimit.perMinute} calls in any minute`,
    rateLimit.burst === null ? "" : `${rateLimit.burst} in any second`,
    rateLimit.perDay === null ? "" : `${rateLimit.perDay} a day (UTC)`,
  ].filter(Boolean);
  return [
    entry(
      "oneRecord",
      "retries",
      `a passing failure is tried ${maxAttempts} times, ${time(initialMs)} to ${time(maxMs)} apart, then a dead letter`,
      "a record's own fault is a dead letter at once, and decides no other's fate",
    ),
    entry(
      "destinationsFault",
      "circuit",
      `opens at ${failurePercent} % failures of ${minimumCalls} or more calls in ${time(windowMs)}, for ${time(openForMs)}; the records wait`,
      "a destination's own fault (key, table, connection) opens it at once and makes no dead letters",
    ),
    entry(
      "limits",
      "limits",
      `a write takes ${time(timeout.totalMs)} at most; ${limits.length === 0 ? "no rate limit" : limits.join(", ")}`,
      "the look-ups of each enrich step have limits of their own, of the same size",
    ),
  ];
}

function schedule({ misfire, overlap }: Extract<ResolvedIntegration["trigger"], { type: "schedule" }>): Told {
  const missed = misfire === "once" ? "what was missed is caught up once" : "what was missed is skipped";
  const late = { skip: "is skipped", queue: "waits", run: "waits" }[overlap];
  return entry("schedule", "schedule", `fires once at each instant; ${missed}; while a run lasts, the next ${late}`);
}

/** What a confirmed batch and a commit are worth when the power fails. */
function durability({ nats, postgres }: Surroundings): Told {
  const texts = {
    nats: {
      embedded: "nats-server (embedded) syncs each message to the disk before it confirms it",
      replicated: "nats-server (a cluster) confirms what most of the servers have that keep the log's copies",
      external: "nats-server (SLUICE_NATS_URL) confirms as it is configured",
      elsewhere: "nats-server: as that node has it",
    },
    postgres: {
      embedded: "Postgres (embedded) each commit",
      external: "Postgres (SLUICE_DATABASE_URL) as it is configured",
      elsewhere: "Postgres: as that node has it",
    },
  };
  const limits = [
    ...(nats === "replicated"
      ? ["most of those servers must not lose their power at once, unless they have sync_interval: always"]
      : []),
    ...(nats === "embedded" || nats === "replicated"
      ? []
      : ["a nats-server's default syncs every two minutes: set sync_interval: always, or a cluster with three copies"]),
    ...(postgres === "embedded" ? [] : ["Postgres: with fsync and synchronous_commit on, its defaults"]),
    ...(nats === "elsewhere" || postgres === "elsewhere"
      ? ["an embedded server of that node syncs each; run doctor there to see which it has"]
      : []),
  ];
  return {
    ...entry("durability", "durability", `${texts.nats[nats]}; ${texts.postgres[postgres]}`, ...limits),
    held_by: [
      ...(nats === "embedded" || postgres === "embedded" ? promises.durability.heldBy : []),
      ...(nats === "replicated" ? promises.copies.heldBy : []),
    ],
  };
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

/** As the configuration writes it: `90s`, `1h`. */
function time(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
