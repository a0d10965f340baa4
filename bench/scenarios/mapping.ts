import type { JsonObject } from "../../connectors/sdk/index.ts";
import { compileMapping } from "../../runtime/mapping/index.ts";

export interface MappingBenchOptions {
  /** Records a result. */
  readonly records?: number | undefined;
}

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
};

/** Records already parsed, mapped on one core; neither parsing nor writing is measured. One JSON line a result. */
export async function run(options: MappingBenchOptions = {}): Promise<void> {
  const total = options.records ?? 2_000_000;
  const records = sampleRecords(4096);
  for (const [name, rules] of Object.entries(cases)) {
    const { apply } = compileMapping(rules);
    measure(apply, records, Math.min(total, 200_000));
    const before = process.cpuUsage();
    const seconds = measure(apply, records, total);
    const cpu = process.cpuUsage(before);
    report({
      scenario: "mapping",
      name,
      records: total,
      seconds: round(seconds),
      rate: Math.round(total / seconds),
      cpu_seconds: round((cpu.user + cpu.system) / 1e6),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    });
  }
}

function measure(apply: (record: JsonObject) => JsonObject, records: readonly JsonObject[], total: number): number {
  // What was mapped is kept for a while, as a batch would: else the engine could leave out the work.
  const kept: JsonObject[] = new Array(records.length);
  const start = performance.now();
  for (let i = 0; i < total; i++) kept[i % kept.length] = apply(records[i % records.length] as JsonObject);
  return (performance.now() - start) / 1000;
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

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
