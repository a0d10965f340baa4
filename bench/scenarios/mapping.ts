import { createSandbox } from "../../adapters/isolate/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { compileMapping, type Mapping, MappingFailure } from "../../runtime/mapping/index.ts";
import type { BenchOptions } from "../options.ts";
import { report } from "../report.ts";
import { usageOf } from "../usage.ts";

/** 8 fields with one cast, one template and one condition: the figure to hold. */
const singular = [
  { source: "$.id", destination: "id" },
  { source: "$.email", destination: "email" },
  { source: "$.name", destination: "full_name" },
  { source: "$.amount", destination: "amount", cast: "integer" },
  { source: "$.address.city", destination: "city" },
  { template: "{{ $.name }} <{{ $.email }}>", destination: "contact" },
  { source: "$.created_at", destination: "created" },
  { source: "$.note", destination: "note", when: "$.status == 'active'" },
];

const cases: { readonly [name: string]: readonly object[] } = {
  singular,
  wildcard: [
    { source: "$.tags[*]", destination: "tags" },
    { source: "$..city", destination: "cities" },
  ],
  predicate: [
    { source: "$.id", destination: "id", when: "$.status == 'active' && $.id > 10 || $.tags[?@ == 'vip']" },
    { source: "$.email", destination: "email", when: "match($.email, '.*@example\\\\.com') && length($.name) > 3" },
  ],
  template: [
    { template: "{{ $.name | trim | upper }} <{{ $.email | lower }}>", destination: "contact" },
    { template: "{{ $.phone | default('none') }} {{ $.address | json }}", destination: "more" },
  ],
  casts: [
    { source: "$.id", destination: "string", cast: "string" },
    { source: "$.amount", destination: "number", cast: "number" },
    { source: "$.amount", destination: "integer", cast: "integer" },
    { source: "$.flag", destination: "boolean", cast: "boolean" },
    { source: "$.created_at", destination: "timestamp", cast: "timestamp" },
    { source: "$.updated", destination: "date", cast: "date" },
    { source: "$.extra", destination: "json", cast: "json" },
  ],
  // As `singular`, with a script on one of them.
  transform: singular.map((rule) =>
    rule.destination === "city" ? { ...rule, transform: "value.toUpperCase()" } : rule,
  ),
};

/**
 * Records already parsed, mapped on one core; neither parsing nor writing is measured. `transform` has the sandbox's
 * process beside it, whose CPU time is in `cpu_seconds`; of it a quarter of the records are mapped. One JSON line a
 * result.
 */
export async function run(options: BenchOptions = {}): Promise<void> {
  const records = sampleRecords(4096);
  for (const [name, rules] of Object.entries(cases)) {
    if (options.only !== undefined && options.only !== name) continue;
    const mapping = compileMapping(rules);
    const { scripted, apply } = mapping;
    const total = Math.ceil((options.records ?? 2_000_000) / (scripted ? 4 : 1));
    const { seconds, cpuSeconds } = scripted
      ? await measureScripted(mapping, records, total)
      : measure(apply, records, total);
    report({
      scenario: "mapping",
      name,
      records: total,
      seconds,
      rate: Math.round(total / seconds),
      cpu_seconds: cpuSeconds,
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    });
  }
}

function measure(apply: Mapping["apply"], records: readonly JsonObject[], total: number) {
  mapEach(apply, records, Math.min(total, 200_000));
  const before = process.cpuUsage();
  const seconds = mapEach(apply, records, total);
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

function mapEach(apply: Mapping["apply"], records: readonly JsonObject[], total: number): number {
  // What was mapped is kept for a while, as a batch would: else the engine could leave out the work.
  const kept: JsonObject[] = new Array(records.length);
  const start = performance.now();
  for (let i = 0; i < total; i++) kept[i % kept.length] = apply(records[i % records.length] as JsonObject);
  return (performance.now() - start) / 1000;
}

const batchSize = 512;
const batchesAtOnce = 2;

async function measureScripted(mapping: Mapping, records: readonly JsonObject[], total: number) {
  const sandbox = createSandbox();
  const { signal } = new AbortController();
  const meta = () => ({});
  const mapBatches = async (count: number): Promise<void> => {
    let next = 0;
    const worker = async () => {
      while (next < count) {
        const batch = records.slice(next % records.length).slice(0, Math.min(batchSize, count - next));
        next += batch.length;
        const results = await mapping.applyAll(batch, meta, (script, calls) =>
          sandbox.run("bench", script, calls, signal),
        );
        const failed = results.find((result) => result instanceof MappingFailure);
        if (failed !== undefined) throw new Error(JSON.stringify(failed));
      }
    };
    await Promise.all(Array.from({ length: batchesAtOnce }, worker));
  };
  await mapBatches(Math.min(total, 50_000));
  const cpu = () => usageOf(process.pid, false).cpuSeconds + usageOf(sandbox.pid as number, false).cpuSeconds;
  const before = cpu();
  const start = performance.now();
  await mapBatches(total);
  const seconds = (performance.now() - start) / 1000;
  const cpuSeconds = cpu() - before;
  await sandbox.close();
  return { seconds, cpuSeconds };
}

function sampleRecords(count: number): JsonObject[] {
  return Array.from({ length: count }, (_, id) =>
    JSON.parse(
      JSON.stringify({
        id,
        email: `user${id}@example.com`,
        name: `Name ${id}`,
        status: id % 3 === 0 ? "inactive" : "active",
        amount: String(id),
        flag: id % 2 === 0 ? "yes" : "no",
        created_at: "2024-05-01T12:00:00+02:00",
        updated: 1_714_550_400 + id,
        tags: ["a", "b"],
        address: { city: "Berlin", zip: "10115" },
        extra: '{"a":[1,2]}',
        note: "some text to fill it up",
      }),
    ),
  );
}
