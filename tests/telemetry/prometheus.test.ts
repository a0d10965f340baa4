import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import type { Run } from "../support/api.ts";
import type { TestNode } from "../support/node.ts";
import { promtool, startPrometheus, type TestPrometheus } from "../support/prometheus.ts";
import { tempDir } from "../support/temp-dir.ts";
import { bad, observedNode, payload, shop, wrong } from "./support.ts";

const deploy = fileURLToPath(new URL("../../deploy", import.meta.url));
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown) => void ends.push(end);

interface Scraped {
  readonly node: TestNode;
  readonly prometheus: TestPrometheus;
  readonly run: Run;
}

let made: Promise<Scraped> | undefined;
const scraped = () => (made ??= scrape());

/** A real Prometheus, configured as deploy/ has it, that has scraped a real node after its run. */
async function scrape(): Promise<Scraped> {
  const { node } = await observedNode({}, atEnd);
  const { api } = node;
  const id = await api.integration(shop);
  // Never due while this test runs.
  const trigger = { type: "schedule", cron: "0 0 1 1 *", misfire: "skip" };
  await api.integration({ ...shop, name: "yearly", trigger });
  const run = await api.runAndWait(id);
  await api.runAndWait(await api.integration(wrong));
  const folder = tempDir(atEnd);
  const config = readFileSync(join(deploy, "prometheus/prometheus.yml"), "utf8")
    .replace("127.0.0.1:7400", new URL(node.url).host)
    .replaceAll("_interval: 15s", "_interval: 1s");
  writeFileSync(join(folder, "sluice-token"), `${node.token}\n`);
  writeFileSync(join(folder, "prometheus.yml"), config);
  copyFileSync(join(deploy, "prometheus/alerts.yml"), join(folder, "alerts.yml"));
  const prometheus = await startPrometheus(folder, join(folder, "prometheus.yml"));
  atEnd(() => prometheus.stop());
  // Dead letters are counted every ten seconds at most, and the gauges of what has ended a moment later.
  const letters = bad + 1 + run.by_destination.hole!.failed;
  await expect.poll(() => prometheus.query('sluice_dlq_depth{integration="shop"}')).toMatchObject([{ value: letters }]);
  return { node, prometheus, run };
}

afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

test("each metric of the contract is answered for with the run's own figures", async () => {
  const { prometheus, run } = await scraped();
  const value = async (expression: string) => (await prometheus.query(expression)).map((sample) => sample.value);
  const { file, hole } = run.by_destination;
  const of = 'integration="shop"';
  const figures: Record<string, number> = {
    [`sluice_records_in_total{${of}}`]: run.records_in,
    [`sum(sluice_records_out_total{${of}})`]: file!.out + hole!.out,
    [`sluice_records_out_total{${of},destination="file",connector_type="file"}`]: file!.out,
    [`sluice_records_filtered_total{${of}}`]: run.records_filtered,
    [`sluice_records_failed_total{${of},step="map"}`]: bad,
    [`sluice_records_failed_total{${of},step="source"}`]: 1,
    [`sluice_records_failed_total{${of},destination="hole"}`]: hole!.failed,
    [`sluice_records_failed_total{${of},destination="file"}`]: 0,
    [`sluice_record_latency_seconds_count{${of},destination="hole"}`]: hole!.out,
    [`sluice_record_latency_seconds_bucket{${of},destination="hole",le="+Inf"}`]: hole!.out,
    [`histogram_quantile(0.99, sluice_record_latency_seconds_bucket{${of},destination="file"}) < bool 300`]: 1,
    [`sum(sluice_requests_total{${of},destination="hole",outcome="failed"}) > bool 0`]: 1,
    [`sluice_error_ratio{${of},destination="file"}`]: 0,
    [`sluice_error_ratio{${of},destination="hole"} > bool 0`]: 1,
    [`sum(sluice_circuit_open{${of}})`]: 0,
    [`sum(sluice_consumer_lag{${of}})`]: 0,
    [`min(sluice_credit_available{${of}}) > bool 0`]: 1,
    [`max(sluice_freshness_seconds{${of}}) < bool 200`]: 1,
    [`sluice_ledger_imbalance{${of}}`]: 0,
    [`sluice_ledger_records_total{${of},destination="file",kind="confirmed"}`]: file!.out,
    'sluice_schedule_missed_total{integration="yearly"}': 0,
    'sluice_schedule_interval_seconds{integration="yearly"} > bool 360 * 86400': 1,
    [`sluice_runs_total{${of},status="partial"}`]: 1,
    'sluice_runs_total{integration="wrong",status="failed"}': 1,
    'sum(sluice_integrations{health="stopped"})': 1,
    "min(sluice_ready)": 1,
    "count(sluice_ready)": 4,
    "sluice_disk_free_bytes > bool 0": 1,
    'up{job="sluice"}': 1,
  };
  const found = Object.fromEntries(
    await Promise.all(Object.keys(figures).map(async (expression) => [expression, await value(expression)])),
  );
  expect(found).toEqual(
    Object.fromEntries(Object.entries(figures).map(([expression, figure]) => [expression, [figure]])),
  );
  // No part crashed: it has no series, and its type is known all the same.
  const metadata = await prometheus.api<Record<string, { type: string }[]>>("metadata");
  expect(metadata.sluice_actor_restarts_total).toMatchObject([{ type: "counter" }]);
  expect(await value("sluice_actor_restarts_total")).toEqual([]);
});

test("promtool finds nothing to say about what a node exposes, and nothing of a record is in it", async () => {
  const { node } = await scraped();
  const { text } = await node.api.text("/metrics");
  expect(await promtool(["check", "metrics"], { stdin: text })).toEqual({ code: 0, output: "" });
  expect(text).not.toContain(payload);
});

test("what a scrape says that takes gzip is the same", async () => {
  const { node } = await scraped();
  const headers = { authorization: `Bearer ${node.token}` };
  const [plain, packed] = await Promise.all(
    ["identity", "gzip"].map((encoding) =>
      fetch(`${node.url}/metrics`, { headers: { ...headers, "accept-encoding": encoding } }),
    ),
  );
  expect([plain!.headers.get("content-encoding"), packed!.headers.get("content-encoding")]).toEqual([null, "gzip"]);
  const names = async (answer: Response) => (await answer.text()).match(/^# TYPE .*/gm);
  expect(await names(packed!)).toEqual(await names(plain!));
});

interface Named {
  readonly where: string;
  readonly expression: string;
}

function alertsAndPanels(): Named[] {
  const { groups } = parse(readFileSync(join(deploy, "prometheus/alerts.yml"), "utf8")) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ where: alert, expression: expr })));
  const folder = join(deploy, "grafana/dashboards");
  const panels = readdirSync(folder).flatMap((name) => {
    const { panels, templating } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
      panels: { title: string; targets: { expr: string }[] }[];
      templating: { list: { query: string | { query: string } }[] };
    };
    const variables = templating.list.flatMap(({ query }) => {
      const [, metric, label] =
        /^label_values\((\w+), (\w+)\)$/.exec(typeof query === "string" ? "" : query.query) ?? [];
      return metric === undefined
        ? []
        : [{ where: `${name}: variable`, expression: `count by (${label}) (${metric})` }];
    });
    return [
      ...variables,
      ...panels.flatMap(({ title, targets }) =>
        targets.map(({ expr }) => ({ where: `${name}: ${title}`, expression: expr })),
      ),
    ];
  });
  return [...alerts, ...panels].map(({ where, expression }) => ({
    where,
    expression: expression
      .replaceAll("$__rate_interval", "1m")
      .replaceAll("$integration", "shop")
      .replaceAll("$node", ".*"),
  }));
}

test("each expression of an alert or a dashboard is taken by Prometheus, and names metrics and labels that there are", async () => {
  const { prometheus } = await scraped();
  const all = alertsAndPanels();
  expect(all.length).toBeGreaterThan(60);
  const known = new Set([
    ...Object.keys(await prometheus.api<object>("metadata")),
    ...(await prometheus.api<string[]>("label/__name__/values")),
  ]);
  const labels = new Set(await prometheus.api<string[]>("labels"));
  const wrongOnes: string[] = [];
  for (const { where, expression } of all) {
    await prometheus.query(expression).catch((error: Error) => wrongOnes.push(`${where}: ${error.message}`));
    for (const [metric] of expression.matchAll(/\b(?:sluice|nodejs|process)_\w+/g)) {
      if (!known.has(metric) && !known.has(metric.replace(/_(bucket|sum|count)$/, "")))
        wrongOnes.push(`${where}: there is no metric ${metric}`);
    }
    const grouped = [...expression.matchAll(/\b(?:by|on) \(([\w, ]*)\)/g)].flatMap(([, names]) => names!.split(/, ?/));
    const matched = [...expression.matchAll(/[{,] ?(\w+)(?:=~?|!=|!~)"/g)].map(([, name]) => name!);
    for (const label of [...grouped, ...matched]) {
      // Of metrics that have no series where nothing is wrong.
      if (!labels.has(label) && !["actor", "metric"].includes(label))
        wrongOnes.push(`${where}: there is no label ${label}`);
    }
  }
  expect(wrongOnes).toEqual([]);
});

test("every alert leads to a page that has it", () => {
  const rules = readFileSync(join(deploy, "prometheus/alerts.yml"), "utf8");
  const page = readFileSync(join(deploy, "../docs/alerts.md"), "utf8");
  const names = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
  const urls = [...rules.matchAll(/runbook_url: "docs\/alerts\.md#(\w+)"/g)].map(([, anchor]) => anchor);
  expect(urls).toEqual(names.map((name) => name.toLowerCase()));
  expect([...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name).toSorted()).toEqual(names.toSorted());
});
