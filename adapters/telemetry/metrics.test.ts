import { expect, test } from "vitest";
import type { ConsumerGauges, IntegrationGauges, NodeGauges } from "../../runtime/ports/telemetry.ts";
import { prometheusMetrics } from "./metrics.ts";

const consumer: ConsumerGauges = {
  destination: "crm",
  lag: 12,
  credit: 16,
  circuitOpen: true,
  circuitOpenSeconds: 12,
  freshnessSeconds: 2.5,
};
const shop: IntegrationGauges = {
  integration: "shop",
  steps: ["map"],
  intervalSeconds: null,
  deadLetters: 3,
  deadLetterAlert: null,
  imbalances: [],
  consumers: [consumer],
  lookUps: [],
};

const node = (...integrations: IntegrationGauges[]): NodeGauges => ({
  integrations,
  names: new Set(integrations.map(({ integration }) => integration)),
  health: {},
  ready: {},
  diskFreeBytes: null,
});

async function linesOf(metrics: ReturnType<typeof prometheusMetrics>, metric: string): Promise<string[]> {
  const lines = (await metrics.render()).split("\n");
  return lines.filter((line) => line.startsWith(metric)).sort();
}

test("the latency of a batch counts as many times as it has records, in each bucket from its own on", async () => {
  const metrics = prometheusMetrics();
  metrics.recordLatency("shop", "crm", 500, 0.3);
  metrics.recordLatency("shop", "crm", 20, 400);
  const lines = await linesOf(metrics, "sluice_record_latency_seconds");
  const labels = 'integration="shop",destination="crm"';
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="0.2",${labels}} 0`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="0.3",${labels}} 500`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="300",${labels}} 500`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="+Inf",${labels}} 520`);
  expect(lines).toContain(`sluice_record_latency_seconds_count{${labels}} 520`);
  expect(lines).toContain(`sluice_record_latency_seconds_sum{${labels}} ${500 * 0.3 + 20 * 400}`);
});

test("a ledger that does not balance is told by place, and one that does by a single 0", async () => {
  const metrics = prometheusMetrics();
  const gap = { between: "", consumer: "steps", sequences: null };
  const imbalances = [
    { ...gap, at: { step: "keep" }, expected: 5, counted: 3 },
    { ...gap, at: { destination: "crm" }, expected: 0, counted: 1 },
    { ...gap, at: { destination: "crm" }, expected: 4, counted: 1 },
  ];
  metrics.gauges(async () => node(shop, { ...shop, integration: "lossy", imbalances }));
  expect(await linesOf(metrics, "sluice_ledger_imbalance")).toEqual([
    'sluice_ledger_imbalance{integration="lossy",destination="crm"} 4',
    'sluice_ledger_imbalance{integration="lossy",step="keep"} 2',
    'sluice_ledger_imbalance{integration="shop"} 0',
  ]);
});

test("each metric of the contract has its HELP and TYPE before anything happened", async () => {
  const text = await prometheusMetrics().render();
  const counters = ["records_in", "records_out", "records_filtered", "records_failed", "requests"];
  const gauges = [
    "error_ratio",
    "circuit_open",
    "dlq_depth",
    "consumer_lag",
    "credit_available",
    "freshness_seconds",
    "ledger_imbalance",
    "schedule_interval_seconds",
    "ready",
    "disk_free_bytes",
  ];
  for (const name of [...counters, "schedule_missed", "actor_restarts", "runs"]) {
    expect(text).toMatch(new RegExp(`^# HELP sluice_${name}_total \\S.*\n# TYPE sluice_${name}_total counter$`, "m"));
  }
  for (const name of gauges) {
    expect(text).toMatch(new RegExp(`^# HELP sluice_${name} \\S.*\n# TYPE sluice_${name} gauge$`, "m"));
  }
  expect(text).toMatch(/^# TYPE sluice_record_latency_seconds histogram$/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
});

test("what is exposed is Prometheus' text format, with each metric's samples under its own TYPE", async () => {
  const metrics = prometheusMetrics();
  metrics.gauges(async () => node(shop));
  metrics.recordsFailed('odd "name"\\', { step: "map" }, 2);
  metrics.recordLatency("shop", "crm", 10, 0.1);
  metrics.request("shop", { destination: "crm" }, { connectorType: "http" }, "ok");
  metrics.actorRestarted("sink-crm", "shop");
  let current = "";
  const seen = new Set<string>();
  for (const line of (await metrics.render()).split("\n")) {
    const [, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
    if (type !== undefined) {
      expect(seen, "one TYPE a metric").not.toContain(type);
      seen.add(type);
      current = type;
    } else if (line !== "" && !line.startsWith("# HELP ")) {
      expect(line).toMatch(
        /^[a-z_]\w*(\{(\w+="([^"\\\n]|\\["\\n])*",?)*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]Inf)( \d+)?$/i,
      );
      expect(line.replace(/_(bucket|sum|count)(?=[ {])/, "")).toMatch(
        new RegExp(`^${current.replace(/_(sum|count)$/, "")}[ {]`),
      );
    }
  }
});

test("gauges are read at each scrape, and what is gone is shown no longer", async () => {
  const metrics = prometheusMetrics();
  let now: IntegrationGauges[] = [shop];
  metrics.gauges(async () => node(...now));
  const labels = '{integration="shop",destination="crm"}';
  expect(await linesOf(metrics, "sluice_consumer_lag{")).toEqual([`sluice_consumer_lag${labels} 12`]);
  expect(await linesOf(metrics, "sluice_credit_available{")).toEqual([`sluice_credit_available${labels} 16`]);
  expect(await linesOf(metrics, "sluice_circuit_open{")).toEqual([`sluice_circuit_open${labels} 1`]);
  now = [{ ...shop, lookUps: [{ step: "customer", circuitOpen: true, circuitOpenSeconds: 4 }] }];
  for (const [metric, crm, customer] of [
    ["sluice_circuit_open", 1, 1],
    ["sluice_circuit_open_seconds", 12, 4],
  ] as const) {
    expect(await linesOf(metrics, `${metric}{`)).toEqual([
      `${metric}${labels} ${crm}`,
      `${metric}{integration="shop",step="customer"} ${customer}`,
    ]);
  }
  now = [shop];
  expect(await linesOf(metrics, "sluice_freshness_seconds{")).toEqual([`sluice_freshness_seconds${labels} 2.5`]);
  expect(await linesOf(metrics, "sluice_dlq_depth{")).toEqual(['sluice_dlq_depth{integration="shop"} 3']);
  // The steps before several destinations have a lag and a credit, and no circuit.
  now = [{ ...shop, deadLetters: null, consumers: [{ ...consumer, destination: undefined, freshnessSeconds: null }] }];
  expect(await linesOf(metrics, "sluice_consumer_lag{")).toEqual(['sluice_consumer_lag{integration="shop"} 12']);
  for (const gone of ["circuit_open", "freshness_seconds", "dlq_depth"]) {
    expect(await linesOf(metrics, `sluice_${gone}{`)).toEqual([]);
  }
});

test("calls for a step's look-ups are counted by step, and are no writes", async () => {
  const metrics = prometheusMetrics();
  metrics.request("shop", { step: "customer" }, { connectorType: "postgres", provider: "db:5432" }, "failed");
  const labels = '{integration="shop",step="customer",connector_type="postgres",provider="db:5432",outcome="failed"}';
  expect(await linesOf(metrics, "sluice_requests_total{")).toEqual([`sluice_requests_total${labels} 1`]);
  expect(await linesOf(metrics, "sluice_error_ratio{")).toEqual([]);
});

test("requests tell the far side and the stream; a connector that does not say who is there counts by its type", async () => {
  const metrics = prometheusMetrics();
  const where = { destination: "crm", endpoint: "contacts" };
  metrics.request("shop", where, { connectorType: "http", provider: "api.example.com" }, "ok");
  metrics.request("shop", where, { connectorType: "file", provider: undefined }, "ok");
  const labels = (type: string, provider: string) =>
    `{integration="shop",destination="crm",endpoint="contacts",connector_type="${type}",provider="${provider}",outcome="ok"}`;
  expect(await linesOf(metrics, "sluice_requests_total{")).toEqual([
    `sluice_requests_total${labels("file", "file")} 1`,
    `sluice_requests_total${labels("http", "api.example.com")} 1`,
  ]);
});

test("the error ratio is of the recent writes: right from the first one on, and soon rid of what is mended", async () => {
  const metrics = prometheusMetrics();
  metrics.gauges(async () => node(shop));
  const ratio = async () => Number((await linesOf(metrics, "sluice_error_ratio{"))[0]?.split(" ").at(-1));
  metrics.request("shop", { destination: "crm" }, { connectorType: "http" }, "failed");
  expect(await ratio()).toBe(1);
  metrics.request("shop", { destination: "crm" }, { connectorType: "http" }, "ok");
  expect(await ratio()).toBeCloseTo(0.5, 1);
  for (let i = 0; i < 500; i++) metrics.request("shop", { destination: "crm" }, { connectorType: "http" }, "ok");
  expect(await ratio()).toBeLessThan(0.01);
});

test("counters of an integration that is here begin at 0, so that what it counts first is seen to rise", async () => {
  const metrics = prometheusMetrics();
  metrics.gauges(async () => node({ ...shop, intervalSeconds: 60 }));
  const text = await metrics.render();
  expect(text).toContain('sluice_records_in_total{integration="shop"} 0\n');
  for (const where of ['step="source",destination=""', 'step="map",destination=""', 'step="",destination="crm"']) {
    expect(text).toContain(`sluice_records_failed_total{integration="shop",${where}} 0\n`);
  }
  expect(text).toContain('sluice_schedule_missed_total{integration="shop"} 0\n');
  expect(text).toContain('sluice_schedule_interval_seconds{integration="shop"} 60\n');
});

test("what was counted of an integration that is gone is told for five more minutes, and begins anew where it comes back", async () => {
  let time = 0;
  const metrics = prometheusMetrics({ now: () => time });
  let here: IntegrationGauges[] = [shop, { ...shop, integration: "other" }];
  metrics.gauges(async () => node(...here));
  const count = (integration: string) => {
    metrics.recordsIn(integration, 7);
    metrics.recordLatency(integration, "crm", 7, 0.1);
    metrics.request(integration, { destination: "crm" }, { connectorType: "http" }, "failed");
    metrics.hook(integration, "accepted");
  };
  for (const integration of ["shop", "other"]) count(integration);
  const ofShop = async () => (await metrics.render()).split("\n").filter((line) => line.includes('"shop"'));
  expect(await ofShop()).toContain('sluice_error_ratio{integration="shop",destination="crm"} 1');
  here = here.slice(1);
  expect((await ofShop()).join()).not.toContain("sluice_error_ratio");
  time = 299_999;
  expect(await ofShop()).toContain('sluice_records_in_total{integration="shop"} 7');
  time = 300_000;
  expect(await ofShop()).toEqual([]);
  expect(await linesOf(metrics, "sluice_records_in_total{")).toEqual([
    'sluice_records_in_total{integration="other"} 7',
  ]);
  here = [shop, ...here];
  expect(await linesOf(metrics, "sluice_records_in_total{")).toEqual([
    'sluice_records_in_total{integration="other"} 7',
    'sluice_records_in_total{integration="shop"} 0',
  ]);
});

test("a hook is counted where it comes in, whoever owns the integration, until that is deleted", async () => {
  const metrics = prometheusMetrics({ now: () => Date.now() * 2 });
  let names = new Set(["elsewhere"]);
  metrics.gauges(async () => ({ ...node(), names }));
  metrics.hook("elsewhere", "accepted");
  expect(await linesOf(metrics, "sluice_hooks_total{")).toHaveLength(1);
  names = new Set();
  expect(await linesOf(metrics, "sluice_hooks_total{")).toEqual([]);
});

test("a metric has so many label sets at most: what is beyond them counts as another integration's, and is told of", async () => {
  const metrics = prometheusMetrics({ maxSeries: 3 });
  const many = Array.from({ length: 5 }, (_, i) => ({ ...shop, steps: [], integration: `n${i}` }));
  metrics.gauges(async () => node(...many));
  for (const { integration } of many) metrics.recordsIn(integration, 10);
  expect(await linesOf(metrics, "sluice_records_in_total{")).toEqual([
    'sluice_records_in_total{integration="_other"} 20',
    ...[0, 1, 2].map((i) => `sluice_records_in_total{integration="n${i}"} 10`),
  ]);
  // A gauge of two integrations together would say nothing.
  expect(await linesOf(metrics, "sluice_dlq_depth{")).toHaveLength(3);
  const overflow = await linesOf(metrics, 'sluice_metric_overflow_total{metric="sluice_records_in_total"}');
  expect(Number(overflow[0]?.split(" ").at(-1))).toBeGreaterThanOrEqual(2);
});

test("the node tells which of its parts are ready, its integrations by health, its disk and its version", async () => {
  const metrics = prometheusMetrics({ version: "1.2.3" });
  metrics.gauges(async () => ({
    ...node(),
    ready: { nats: true, postgres: false },
    health: { ok: 3, waiting: 0 },
    diskFreeBytes: 5e9,
  }));
  const text = await metrics.render();
  for (const line of [
    'sluice_ready{part="nats"} 1',
    'sluice_ready{part="postgres"} 0',
    'sluice_integrations{health="ok"} 3',
    'sluice_integrations{health="waiting"} 0',
    "sluice_disk_free_bytes 5000000000",
    'sluice_build_info{version="1.2.3"} 1',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
});
