import { createValidator } from "../../adapters/json-schema/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { compileMapping } from "../../runtime/mapping/index.ts";
import { Pipeline } from "../../runtime/pipeline/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap } from "../pipeline.ts";
import { percentile, report } from "../report.ts";

const ruleCount = 500;
const integrations = 200;

/** A spec of 500 rules compiled in a process that compiled nothing before, and again; 200 pipelines held in memory. */
export async function run({ runs = 20 }: BenchOptions): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const rules = rulesOf(i);
    const begin = performance.now();
    compileMapping(rules).apply({ id: 1 });
    times.push(performance.now() - begin);
  }
  const [first = 0, ...others] = times;
  report({
    scenario: "compile",
    name: `${ruleCount} rules, and the first record`,
    runs,
    first_ms: Math.round(first * 10) / 10,
    median_ms: Math.round(percentile(others, 0.5) * 10) / 10,
    slowest_ms: Math.round(Math.max(...others) * 10) / 10,
  });

  const sandbox = { run: () => Promise.reject(new Error("no scripts here")), close: async () => {} };
  const services = { validator: createValidator(), sandbox, clock: realClock, lookUps: new Map() };
  const record = { id: 1, name: "n", email: "e", status: "active", amount: 20, address: { city: "c" }, tags: ["a"] };
  const heapBefore = heapMb();
  const rssBefore = process.memoryUsage().rss;
  const held: Pipeline[] = [];
  for (let i = 0; i < integrations; i++) {
    const integration = resolveIntegration(specOf(i));
    const pipeline = new Pipeline(integration, services);
    // Compiled for good only once it has worked.
    for (let n = 0; n < 2_000; n++) await pipeline.process({ origins: [0], values: [record] }, context);
    held.push(pipeline);
  }
  report({
    scenario: "compile",
    name: `${integrations} integrations of 30 rules`,
    pipelines: held.length,
    heap_mb: Math.round((heapMb() - heapBefore) * 10) / 10,
    rss_mb: Math.round((process.memoryUsage().rss - rssBefore) / 1024 ** 2),
  });
}

const context = {
  scope: "bench",
  now: 0,
  recordId: () => "",
  meta: () => ({}),
  signal: new AbortController().signal,
  absorbed: () => {},
  failed: () => {},
  deliver: () => {},
};

function rulesOf(seed: number, count = ruleCount): JsonObject[] {
  return Array.from({ length: count }, (_, n) => {
    const field = `f${seed}_${n}`;
    if (n % 5 === 1) return { source: `$.${field}`, destination: `out.${field}`, cast: "integer", on_error: "skip" };
    if (n % 5 === 2) return { template: `{{ $.${field} | trim }} and {{ $.other }}`, destination: field };
    if (n % 5 === 3) return { source: `$.list[?@.kind == '${field}'].value`, destination: field };
    if (n % 5 === 4) return { source: `$.${field}`, destination: field, when: `$.status == 'active' && $.n > ${n}` };
    return { source: `$.a.b.${field}`, destination: field, default: null };
  });
}

function specOf(seed: number): JsonObject {
  return {
    source: { connector: "a", stream: "s" },
    destination: { connector: "b", stream: "d" },
    pipeline_spec: filterAndMap.pipeline_spec,
    mapping_spec: rulesOf(seed, 30),
  } as unknown as JsonObject;
}

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1024 ** 2;
}
