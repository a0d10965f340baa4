import { expect, test } from "vitest";
import { startOtlpServer } from "./otlp-server.ts";
import { bad, good, observedNode, payload, samples, secret, shop, wrong } from "./support.ts";

test("a batch is one trace from its reading to its settlement, and no span carries a payload or a secret", async () => {
  const collector = await startOtlpServer();
  const { node, loadedModules } = await observedNode({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  });
  const run = await node.api.runAndWait(await node.api.integration(shop));
  expect(run.status).toBe("partial");
  await node.api.integration(wrong).then((id) => node.api.runAndWait(id));
  await node.stop();

  const read = collector.spans.filter(({ name }) => name === "read");
  expect(read).not.toEqual([]);
  for (const { traceId, spanId, parentSpanId, attributes } of read) {
    expect(parentSpanId).toBe("");
    expect(attributes).toMatchObject({ "sluice.integration": "shop", "sluice.run": run.id });
    const spans = collector.spans.filter((span) => span.traceId === traceId);
    const below = (parent: string, name: string, destination?: string) => {
      const found = spans.find(
        (span) =>
          span.parentSpanId === parent &&
          span.name === name &&
          (destination === undefined || span.attributes["sluice.destination"] === destination),
      );
      expect(found, `${name} ${destination ?? ""}`).toBeDefined();
      return found!;
    };
    const append = below(spanId, "append");
    expect(append.attributes["sluice.records"]).toBe(attributes["sluice.records"]);
    below(append.spanId, "settle");
    const process = below(append.spanId, "process");
    for (const destination of ["file", "hole"]) {
      const published = below(process.spanId, "append", destination);
      const delivered = below(published.spanId, "deliver", destination);
      expect(delivered.attributes["sluice.records"]).toBe(published.attributes["sluice.records"]);
      below(published.spanId, "settle");
    }
  }
  const count = (name: string, key: string) =>
    collector.spans
      .filter((span) => span.name === name)
      .reduce((sum, { attributes }) => sum + Number(attributes[key]), 0);
  expect(count("process", "sluice.failed")).toBe(bad + 1);
  expect(count("read", "sluice.records")).toBe(run.records_in);
  const sent = collector.bytes().toString("latin1");
  expect(sent).not.toContain(payload);
  expect(sent).not.toContain(secret);
  expect(loadedModules()).not.toEqual([]);
});

test("log and metrics tell what happened to runs and records, without payloads and secrets", async () => {
  const { node, log, entries, loadedModules } = await observedNode();
  const { api } = node;
  const id = await api.integration(shop);
  const metrics = async () => (await api.text("/metrics")).text;
  // Known before the first run.
  await expect
    .poll(async () => samples(await metrics(), "sluice_dlq_depth"))
    .toEqual([{ labels: { integration: "shop" }, value: 0 }]);
  const run = await api.runAndWait(id);
  const failed = run.by_destination.hole!.failed;
  expect(run).toMatchObject({ status: "partial", by_destination: { file: { out: good, failed: 0 } } });
  expect(failed).toBeGreaterThan(0);
  expect(await api.runAndWait(await api.integration(wrong))).toMatchObject({ status: "failed" });

  const text = await metrics();
  const value = (metric: string, labels: Record<string, string>) =>
    samples(text, metric).find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
  const integration = "shop";
  expect(value("sluice_records_in_total", { integration })).toBe(run.records_in);
  expect(value("sluice_records_filtered_total", { integration })).toBe(run.records_filtered);
  expect(value("sluice_records_failed_total", { integration, step: "map", destination: "" })).toBe(bad);
  expect(value("sluice_records_failed_total", { integration, step: "source", destination: "" })).toBe(1);
  expect(value("sluice_records_failed_total", { integration, step: "", destination: "hole" })).toBe(failed);
  expect(value("sluice_records_out_total", { integration, destination: "file", connector_type: "file" })).toBe(good);
  expect(
    value("sluice_requests_total", {
      integration,
      destination: "hole",
      endpoint: "any",
      connector_type: "blackhole",
      provider: "blackhole",
      outcome: "failed",
    }),
  ).toBeGreaterThan(0);
  expect(value("sluice_error_ratio", { integration, destination: "hole" })).toBeGreaterThan(0);
  expect(value("sluice_error_ratio", { integration, destination: "file" })).toBe(0);
  for (const destination of ["file", "hole"]) {
    const labels = { integration, destination };
    expect(value("sluice_consumer_lag", labels)).toBe(0);
    expect(value("sluice_credit_available", labels)).toBeGreaterThan(0);
    expect(value("sluice_circuit_open", labels)).toBe(0);
    expect(value("sluice_freshness_seconds", labels)).toBeLessThan(60);
    expect(value("sluice_record_latency_seconds_count", labels)).toBe(run.by_destination[destination]!.out);
  }
  expect(value("sluice_consumer_lag", { integration })).toBe(0);
  expect(value("sluice_ledger_imbalance", { integration })).toBe(0);
  // Counted a few seconds late at most.
  await expect
    .poll(async () => samples(await metrics(), "sluice_dlq_depth"))
    .toContainEqual({ labels: { integration }, value: bad + 1 + failed });

  await node.stop();
  const said = entries();
  expect(said).toContainEqual(expect.objectContaining({ msg: "run started", integration, run: run.id }));
  expect(said).toContainEqual(
    expect.objectContaining({
      msg: "run ended",
      integration,
      run: run.id,
      status: "partial",
      records_in: run.records_in,
    }),
  );
  expect(said).toContainEqual(
    expect.objectContaining({ msg: "run ended", integration: "wrong", status: "failed", code: "UNAUTHORIZED" }),
  );
  const letters = said.filter(({ msg }) => msg === "dead letter");
  const more = said.filter(({ msg }) => msg === "more dead letters").reduce((sum, { count }) => sum + Number(count), 0);
  expect(letters.length + more).toBe(bad + 1 + failed);
  expect(more).toBeGreaterThan(0);
  expect(letters[0]).toMatchObject({
    integration,
    run: run.id,
    code: "VALIDATION_ERROR",
    record_id: expect.stringMatching(/./),
    fingerprint: expect.stringMatching(/^[0-9a-f]+$/),
  });
  // Whoever collects stderr gets the same lines.
  expect(
    node.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).msg),
  ).toEqual(said.map(({ msg }) => msg));
  for (const place of [log(), node.stderr, text]) {
    expect(place).not.toContain(payload);
    expect(place).not.toContain(secret);
  }
  expect(loadedModules()).toEqual([]);
});

test("a destination that is waited for is an open circuit with a lag behind it, and the log says why", async () => {
  const { node, entries } = await observedNode();
  const { api } = node;
  await api.connector("refuses", "blackhole", { fail: { ratio: 1, code: "UNAUTHORIZED" } });
  const destination = { connector: "refuses", stream: "any" };
  await api.run(await api.integration({ ...shop, destinations: undefined, destination }));
  const value = async (metric: string) => samples((await api.text("/metrics")).text, metric);
  const labels = { integration: "shop", destination: "refuses" };
  await expect.poll(() => value("sluice_circuit_open")).toEqual([{ labels, value: 1 }]);
  await expect.poll(async () => (await value("sluice_consumer_lag"))[0]?.value).toBeGreaterThan(0);
  expect((await value("sluice_credit_available"))[0]).toMatchObject({ labels });
  expect(await value("sluice_freshness_seconds")).toEqual([]);
  expect(entries()).toContainEqual(
    expect.objectContaining({
      msg: "integration waits",
      integration: "shop",
      reason: expect.stringMatching(/^refuses: ./),
    }),
  );
});
