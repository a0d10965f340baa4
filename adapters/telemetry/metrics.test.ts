import { expect, test } from "vitest";
import { prometheusMetrics } from "./metrics.ts";

test("the latency of a batch counts as many times as it has records, in each bucket from its own on", async () => {
  const metrics = prometheusMetrics();
  metrics.recordLatency("shop", "crm", 500, 0.3);
  metrics.recordLatency("shop", "crm", 20, 400);
  const lines = (await metrics.render()).split("\n").filter((line) => line.startsWith("sluice_record_latency_seconds"));
  const labels = 'integration="shop",destination="crm"';
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="0.2",${labels}} 0`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="0.3",${labels}} 500`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="300",${labels}} 500`);
  expect(lines).toContain(`sluice_record_latency_seconds_bucket{le="+Inf",${labels}} 520`);
  expect(lines).toContain(`sluice_record_latency_seconds_count{${labels}} 520`);
  expect(lines).toContain(`sluice_record_latency_seconds_sum{${labels}} ${500 * 0.3 + 20 * 400}`);
});
