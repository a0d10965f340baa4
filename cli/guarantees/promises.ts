/** A row of the table in docs/guarantees.md; `sluice doctor --guarantees` takes its tests from here. */
export interface Promised {
  /** Markdown, as are the conditions. */
  readonly promise: string;
  readonly conditions: string;
  /** Tests, or folders of them, by their paths in the clone. */
  readonly heldBy: readonly string[];
}

/** All that sluice promises. `scripts/docs` writes the table of the page from it. */
export const promises = {
  atLeastOnce: {
    promise:
      "**At least once.** Every record that was read is confirmed by each of its destinations, filtered, or a dead letter. None is lost through crashes, restarts of nats-server and Postgres, networks that break in [every way](faults.md), and destinations that fail",
    conditions: "the disks keep what they confirmed",
    heldBy: [
      "actors/record-path.test.ts",
      "actors/retries.test.ts",
      "actors/left-behind.test.ts",
      "tests/store/retries.test.ts",
      "tests/e2e/retries.test.ts",
      "tests/e2e/cancel.test.ts",
      "tests/chaos/kill-node.test.ts",
      "tests/chaos/suite/kills.test.ts",
      "tests/chaos/suite/network.test.ts",
      "tests/chaos/suite/everything.test.ts",
    ],
  },
  repeats: {
    promise:
      "**What a crash repeats** is what was in hand and not committed: up to 16 messages of about 100 kB that were taken, and what was settled since the last commit (a tenth of a second; while Postgres is away, up to 512 messages of each consumer). A stop repeats nothing but writes that take longer than three seconds; of a write over `http` in the order `none`, only the requests that were under way then (`concurrency`, 4): what was answered is settled, and the rest of its message is put off. In the orders `key` and `strict`, and in a replay, such a write's messages are repeated whole ([why](#order))",
    conditions: "",
    heldBy: [
      "actors/settler.test.ts",
      "tests/chaos/kill-node.test.ts",
      "tests/chaos/suite/crash-points.test.ts",
      "tests/chaos/suite/http.test.ts",
      "tests/connector-http/stop.test.ts",
    ],
  },
  exactlyOnce: {
    promise:
      "**Exactly once at a destination that can undo or recognize.** Postgres in mode upsert, and in mode append with idempotency keys; a file in mode replace; a file in mode append with `ordering: strict`",
    conditions:
      "Postgres by upsert: the key tells the records apart, and the steps give it again; by append: `delivery.idempotency.window`, and [two tables beside the target](#idempotency). A file: no other program writes to it; in mode append no gzip, no windows, no idempotency keys, and steps that make the same again",
    heldBy: [
      "tests/chaos/kill-node.test.ts",
      "tests/chaos/kill-ordered.test.ts",
      "tests/connector-postgres/ownership.test.ts",
      "connectors/file/destination.test.ts",
      "actors/parts.test.ts",
      "tests/chaos/suite/network.test.ts",
      "tests/chaos/suite/everything.test.ts",
    ],
  },
  order: {
    promise: "**Order** by key or of all records, through failures and crashes",
    conditions: "`delivery.ordering`; [how far](#order)",
    heldBy: ["actors/ordering.test.ts", "runtime/delivery/lanes.test.ts", "tests/chaos/kill-ordered.test.ts"],
  },
  idempotency: {
    promise: "**A key that was confirmed is not written again** within the window",
    conditions:
      "`delivery.idempotency.window`; [but for crashes](#idempotency) where the destination does not keep the keys",
    heldBy: [
      "actors/idempotency.test.ts",
      "actors/record-ids.test.ts",
      "tests/connector-postgres/ownership.test.ts",
      "tests/store/processed.test.ts",
      "tests/chaos/kill-ordered.test.ts",
    ],
  },
  oneRecord: {
    promise:
      "**One record's failure decides no other's fate.** A batch that is refused whole is halved until the records at fault stand alone",
    conditions: "",
    heldBy: ["runtime/delivery/deliver.test.ts", "tests/connector-postgres"],
  },
  destinationsFault: {
    promise:
      "**A destination's fault makes no dead letters.** A revoked key, a missing table, a server that is away: the records wait",
    conditions: "",
    heldBy: [
      "tests/e2e/delivery.test.ts",
      "tests/e2e/outages.test.ts",
      "tests/connector-http/delivery.test.ts",
      "connectors/kafka/destination.test.ts",
      "tests/chaos/suite/network.test.ts",
    ],
  },
  limits: {
    promise:
      "**Limits of calls and of time hold.** No minute and no day has more requests or writes than it may, over restarts and nodes, and no second of a run; no write is waited for longer",
    conditions: "`delivery.rate_limit`, `delivery.timeout`",
    heldBy: [
      "runtime/delivery/rate-limit.test.ts",
      "runtime/delivery/time-limit.test.ts",
      "connectors/http/grants.test.ts",
      "tests/e2e/rate-limit.test.ts",
      "tests/store/quotas.test.ts",
    ],
  },
  steps: {
    promise:
      "**A record that a step or the schema's contract refuses** becomes what is configured, and nothing else: a dead letter with all it takes to replay it, filtered, or the run's end",
    conditions: "`on_error`, `schema.contract`",
    heldBy: [
      "runtime/pipeline/pipeline.test.ts",
      "tests/e2e/bad-input.test.ts",
      "tests/e2e/schema-contracts.test.ts",
      "tests/e2e/dead-letters.test.ts",
      "tests/e2e/dead-letters-wait.test.ts",
    ],
  },
  counts: {
    promise:
      "**Each record is counted once**, however often it came: in = out + filtered + failed, for each destination. The [ledger](#ledger) says so by step and destination at each commit, and where it does not",
    conditions: "",
    heldBy: ["actors/record-path.test.ts", "actors/balance.test.ts", "tests/telemetry/ledger.test.ts", "tests/chaos"],
  },
  windows: {
    promise: "**Each record is in exactly one window** of a step `aggregate`",
    conditions: "",
    heldBy: ["actors/windows.test.ts", "tests/chaos/kill-windows.test.ts"],
  },
  cursor: {
    promise:
      "**A source goes on where its last record in the log was.** Its cursor is stored with the records before it",
    conditions: "",
    heldBy: ["tests/jetstream", "tests/chaos", "tests/connector-kafka/faults.test.ts"],
  },
  oneOwner: {
    promise:
      "**One owner.** An integration runs on one node; a former owner's appends and commits are refused by the servers",
    conditions:
      "and so are its writes to Postgres, to a file in mode replace and to a JSON array; elsewhere the writes that it has under way when it is paused may still arrive, and no more: it asks before the next one",
    heldBy: [
      "tests/jetstream/log.test.ts",
      "tests/store/checkpoints.test.ts",
      "tests/connector-postgres/ownership.test.ts",
      "connectors/file/destination.test.ts",
      "tests/chaos/two-nodes.test.ts",
      "tests/chaos/suite/nodes.test.ts",
    ],
  },
  nodes: {
    promise:
      "**A node that dies is replaced** within about five seconds. One that stops hands each integration over as soon as nothing of it is in hand: nothing comes twice, and no stuck one holds up the others. Several nodes share the integrations evenly",
    conditions: "the same nats-server, Postgres and master key; [more](#nodes)",
    heldBy: [
      "actors/hand-over.test.ts",
      "runtime/cluster/assign.test.ts",
      "tests/jetstream/cluster.test.ts",
      "tests/chaos/shares.test.ts",
      "tests/chaos/suite/nodes.test.ts",
    ],
  },
  supervision: {
    promise:
      "**What crashes or hangs is started again, within a budget.** Past it the run fails, and the integration is `stopped` with the reason; others are untouched. A record that crashes a step, a connector or its process becomes a dead letter",
    conditions: "[how](#supervision)",
    heldBy: [
      "actors/supervision.test.ts",
      "actors/health.test.ts",
      "runtime/pipeline/attempt.test.ts",
      "tests/e2e/supervision.test.ts",
      "tests/e2e/bulkheads.test.ts",
      "tests/chaos/suite/kills.test.ts",
    ],
  },
  stop: {
    promise:
      "**A stop ends in time** and loses nothing: what is in hand is finished for up to three seconds, and a destination that hangs does not hold it longer",
    conditions: "[what happens](#shutdown)",
    heldBy: ["actors/record-path.test.ts", "tests/e2e/supervision.test.ts"],
  },
  schedule: {
    promise: "**A schedule fires once** at each instant, over all nodes, and never by a version that is gone",
    conditions: "[clocks that are set, and missed times](#schedules)",
    heldBy: ["actors/scheduler.test.ts", "actors/scheduler-years.test.ts", "tests/chaos/two-nodes.test.ts"],
  },
  event: {
    promise:
      "**What is read all the time** (trigger `event`) has no gap and no overlap where one run ends and the next begins",
    conditions: "[where a source can be read again](#schedules)",
    heldBy: ["actors/endless.test.ts", "tests/e2e/event-trigger.test.ts", "tests/connector-nats/run.test.ts"],
  },
  webhook: {
    promise: "**A webhook that is answered 202 is in the log**, and delivered; sent again with its id, it is kept once",
    conditions: "[what has an id, and for how long](hooks.md#who-may-send)",
    heldBy: ["gateway/hooks", "runtime/hooks", "tests/hooks"],
  },
  memory: {
    promise: "**Memory is bounded** whatever a destination does; the source waits",
    conditions: "measured by `bench -- slow-sink`",
    heldBy: ["runtime/stream", "runtime/pipeline/pipeline.test.ts", "tests/e2e/slow-destination.test.ts"],
  },
  lostData: {
    promise:
      "**A server that lost what it had confirmed is found out.** Logs and Postgres are compared before anybody goes on; what is missing is delivered again or read again, and what cannot be is told",
    conditions: "[what of it](#lost-data)",
    heldBy: [
      "actors/recovery.test.ts",
      "actors/unknown-logs.test.ts",
      "tests/jetstream/outage.test.ts",
      "tests/store/restored.test.ts",
      "tests/chaos/suite/lost-data.test.ts",
      "tests/e2e/lost-log.test.ts",
    ],
  },
  fullDisk: {
    promise: "**A full disk loses nothing.** Runs say what they wait for, and go on when there is room",
    conditions: "a nats-server of your own must be started again, [as it says](#lost-data)",
    heldBy: ["adapters/disk/disk-space.test.ts", "tests/chaos/suite/disk.test.ts"],
  },
  durability: {
    promise: "**What the servers confirm is on the disk**",
    conditions: "the embedded servers; others as they are configured, [see below](#durability)",
    heldBy: ["tests/embedded/servers.test.ts"],
  },
  copies: {
    promise: "**What a cluster confirms outlives any one of its servers**",
    conditions: "three copies of each log, [see below](#durability)",
    heldBy: ["tests/chaos/suite/cluster.test.ts"],
  },
} as const satisfies Record<string, Promised>;
