import { expect, test } from "vitest";
import { shareNode } from "./shared-node.ts";

const shared = shareNode();

const connectors = [
  { name: "gen", type: "generator", config: { count: 5 } },
  { name: "one", type: "blackhole" },
  { name: "two", type: "blackhole" },
  { name: "pg", type: "postgres", config: { host: "127.0.0.1", database: "d", user: "u" } },
  { name: "files", type: "file", config: { path: "data" } },
];
const source = { connector: "gen", stream: "s" };
const destination = { connector: "one", stream: "d" };

/** Paths of what is refused in an integration with these changes; undefined leaves a field out. */
async function refused(change: Record<string, unknown>): Promise<string[]> {
  const integration = { name: "i", source, destination, ...change };
  const { status, body } = await shared.call("POST", "/v1/apply?dry_run=true", {
    connectors,
    integrations: [integration],
  });
  if (status === 200) return [];
  expect([status, body.code]).toEqual([400, "VALIDATION_ERROR"]);
  return body.errors.map(({ path }: { path: string }) => path.replace(/^integrations\[0\]\.?/, ""));
}

const steps = (...list: object[]) => ({ pipeline_spec: { steps: list } });
const filter = (id: string, needs?: string[]) => ({ id, type: "filter", where: "$.a == 1", ...(needs && { needs }) });
const at = (index: number, field: string) => `pipeline_spec.steps[${index}].${field}`;
const schedule = (change: object) => ({ trigger: { type: "schedule", cron: "*/5 * * * *", ...change } });
const delivery = (change: object) => ({ delivery: change });

test.each<[string, Record<string, unknown>]>([
  ["the plain form", {}],
  ["one source in a list", { source: undefined, sources: [source] }],
  [
    "destinations of other connectors",
    { destination: undefined, destinations: [destination, { connector: "two", stream: "d" }] },
  ],
  [
    "destinations with ids",
    {
      destination: undefined,
      destinations: [
        { ...destination, id: "a" },
        { ...destination, id: "b_2" },
      ],
    },
  ],
  ["a destination with needs", { destination: { ...destination, needs: ["source"] } }],
  ["an empty mapping", { mapping_spec: [] }],
  ["a pipeline without steps of its own", { mapping_spec: [], pipeline_spec: {} }],
  ["a map step with a mapping", steps({ id: "m", type: "map", mapping: [{ source: "$", destination: "*" }] })],
  ["options of a step", steps({ ...filter("keep_Active-1"), concurrency: 4, rate_limit: 5, on_error: "drop" })],
  [
    "incremental by a field",
    { source: { connector: "pg", stream: "t", mode: "incremental", cursor_field: "updated_at" } },
  ],
  ["an incremental file", { source: { connector: "files", stream: "t", mode: "incremental" } }],
  ["upsert with a key", { destination: { connector: "pg", stream: "t", mode: "upsert", key: ["id"] } }],
  ["a schedule", schedule({ timezone: "Europe/Berlin", misfire: "skip", overlap: "queue" })],
  ["a schedule by the second", schedule({ cron: "*/5 * * * * *" })],
  [
    "all of delivery",
    delivery({
      ordering: "key",
      key: ["email"],
      batch: { records: 10, bytes: 1000, linger: "250ms" },
      retry: { max_attempts: 3, initial: "5s", max: "10m", multiplier: 2, jitter: 0.1 },
      circuit_breaker: { failure_percent: 20, window: "2h", open_for: "30d", half_open_requests: 3 },
      rate_limit: { per_minute: 5, burst: 5, per_day: 10 },
      timeout: { connect: "1s", read: "1s", total: "1s" },
      idempotency: { key: "a.b", window: "1d" },
      dead_letter: { alert_depth: 4 },
    }),
  ],
  [
    "metadata",
    { metadata: { description: "d", owner: "o", criticality: "high", rto: "1h", rpo: "5m", contacts: ["a@b"] } },
  ],
  ["a reference where it is text", { mapping_spec: [{ value: "$" + "{env:HOME}", destination: "a" }] }],
])("%s is taken", async (_, change) => {
  expect(await refused(change)).toEqual([]);
});

test.each<[string, Record<string, unknown>, string[]]>([
  ["no source", { source: undefined }, ["source"]],
  ["no destination", { destination: undefined }, ["destination"]],
  ["source beside sources", { sources: [source] }, ["sources"]],
  ["no destinations", { destination: undefined, destinations: [] }, ["destinations"]],
  [
    "two destinations of one id",
    { destination: undefined, destinations: [destination, destination] },
    ["destinations[1].id"],
  ],
  ["needs that are no list", { destination: { ...destination, needs: "source" } }, ["destination.needs"]],
  ["needs of nothing", { destination: { ...destination, needs: ["x"] } }, ["destination.needs[0]"]],
  ["a cycle", steps(filter("a", ["b"]), filter("b", ["a"])), [at(1, "needs")]],
  ["a step that needs itself", steps(filter("a", ["a"])), [at(0, "needs")]],
  ["a step that leads nowhere", steps(filter("a"), filter("b", ["source"])), ["pipeline_spec.steps[0]"]],
  ["two steps of one id", steps(filter("a"), filter("a")), [at(1, "id")]],
  ["a step called source", steps(filter("source")), [at(0, "id")]],
  ["a step with a blank in its id", steps(filter("a b")), [at(0, "id")]],
  ["a step without a type", steps({ id: "a" }), [at(0, "type")]],
  ["an unknown step type", steps({ id: "a", type: "filtr", where: "$.a" }), [at(0, "type")]],
  ["a filter without where", steps({ id: "a", type: "filter" }), [at(0, "where")]],
  ["an unknown field of a step", steps({ ...filter("a"), wher: 1 }), [at(0, "wher")]],
  ["an empty predicate", steps({ id: "a", type: "filter", where: " " }), [at(0, "where")]],
  ["a map without any mapping", steps({ id: "a", type: "map" }), [at(0, "mapping")]],
  ["a mapping_spec that no step uses", { mapping_spec: [], ...steps(filter("a")) }, ["mapping_spec"]],
  ["concurrency 0", steps({ ...filter("a"), concurrency: 0 }), [at(0, "concurrency")]],
  ["an unknown on_error", steps({ ...filter("a"), on_error: "skip" }), [at(0, "on_error")]],
  [
    "incremental without a field",
    { source: { connector: "pg", stream: "t", mode: "incremental" } },
    ["source.cursor_field"],
  ],
  [
    "a JSONPath for a field",
    { source: { connector: "pg", stream: "t", mode: "incremental", cursor_field: "$.a" } },
    ["source.cursor_field"],
  ],
  ["upsert without a key", { destination: { connector: "pg", stream: "t", mode: "upsert" } }, ["destination.key"]],
  [
    "a mode that the type has not",
    { destination: { connector: "files", stream: "t", mode: "upsert", key: ["id"] } },
    ["destination.mode"],
  ],
  ["an unknown connector", { source: { connector: "gne", stream: "s" } }, ["source.connector"]],
  ["a destination as a source", { source: { connector: "one", stream: "s" } }, ["source.connector"]],
  ["no stream", { source: { connector: "gen" } }, ["source.stream"]],
  ["a trigger without a type", { trigger: {} }, ["trigger.type"]],
  ["a schedule without cron", { trigger: { type: "schedule" } }, ["trigger.cron"]],
  ["a minute 61", schedule({ cron: "61 * * * *" }), ["trigger.cron"]],
  ["a day that never comes", schedule({ cron: "0 0 30 2 *" }), ["trigger.cron"]],
  ["no time zone", schedule({ timezone: "Mars/Base" }), ["trigger.timezone"]],
  ["a field of another trigger", { trigger: { type: "manual", cron: "* * * * *" } }, ["trigger.cron"]],
  ["ordering key without a key", delivery({ ordering: "key" }), ["delivery.key"]],
  ["no records in a batch", delivery({ batch: { records: 0 } }), ["delivery.batch.records"]],
  ["bytes that are no integer", delivery({ batch: { bytes: "100kB" } }), ["delivery.batch.bytes"]],
  ["an unknown field of retry", delivery({ retry: { max_attempt: 3 } }), ["delivery.retry.max_attempt"]],
  ["no attempts", delivery({ retry: { max_attempts: 0 } }), ["delivery.retry.max_attempts"]],
  ["a jitter above 1", delivery({ retry: { jitter: 2 } }), ["delivery.retry.jitter"]],
  ["an unknown contract", { schema: { contract: "x" } }, ["schema.contract"]],
  ["enabled as a text", { enabled: "yes" }, ["enabled"]],
  ["contacts that are no list", { metadata: { contacts: "a@b" } }, ["metadata.contacts"]],
  ["an unknown field", { mapping: [] }, ["mapping"]],
  ["a name with a capital", { name: "A" }, ["name"]],
  ["a name of 64", { name: "a".repeat(64) }, ["name"]],
  ["no name", { name: undefined }, ["name"]],
])("%s is refused at its place", async (_, change, paths) => {
  expect(await refused(change)).toEqual(paths);
});

test.each(["0s", "250ms", "5s", "10m", "2h", "30d"])("%s is a duration", async (linger) => {
  expect(await refused(delivery({ batch: { linger } }))).toEqual([]);
});

test.each(["5", "5 s", "1.5s", "s", "-1s", "1w", "5S", "1h30m", " 5s", "5s ", "", 5, null])(
  "%j is no duration",
  async (linger) => {
    expect(await refused(delivery({ batch: { linger } }))).toEqual(["delivery.batch.linger"]);
  },
);
