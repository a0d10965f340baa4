import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Answered, ask, type Load } from "../connections.ts";
import { BenchNode, type Cpu, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, lineOf, template } from "../pipeline.ts";
import { percentile, report } from "../report.ts";

const connections = 16;
/** Until code is compiled. */
const warmUpSeconds = 3;
const fleet = { integrations: 50, rate: 600 };

const bare = fileURLToPath(new URL("../programs/bare.ts", import.meta.url));

/**
 * Synchronous mode at 16 connections, mapped into a blackhole: alone, and beside 50 integrations that move 30,000
 * records/s. `gateway`: what a request without any work costs more than one of a bare fastify handler.
 */
export async function run({ seconds = 10, only }: BenchOptions): Promise<void> {
  for (const name of ["alone", "beside-a-fleet"]) {
    if (only === undefined || only === name) await BenchNode.with((node) => invoked(node, name, seconds));
  }
  if (only === undefined || only === "gateway") await BenchNode.with((node) => gateway(node, seconds));
}

async function invoked(node: BenchNode, name: string, seconds: number): Promise<void> {
  await node.connector("generator", "generator", { template, rate: fleet.rate });
  await node.connector("blackhole", "blackhole", {});
  const destination = { connector: "blackhole", stream: "s" };
  const source = { connector: "generator", stream: "s" };
  const id = await node.integration({
    name: "sync",
    source,
    destination,
    trigger: { type: "manual" },
    ...filterAndMap,
  });
  if (name !== "alone") {
    for (let i = 0; i < fleet.integrations; i++) {
      await node.begin(await node.integration({ name: `fleet-${i}`, source, destination, ...filterAndMap }));
    }
  }
  const { url, token } = node;
  const body = lineOf(1).trim();
  const load: Load = { url, token, method: "POST", path: `/v1/integrations/${id}/invoke`, body, connections, seconds };
  await ask({ ...load, seconds: warmUpSeconds });
  const before = node.cpu();
  const own = process.cpuUsage();
  const answered = await ask(load);
  tell(name, answered, cpuBetween(before, node.cpu()), process.cpuUsage(own));
}

async function gateway(node: BenchNode, seconds: number): Promise<void> {
  const child = spawn(process.execPath, [bare], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { token } = node;
    const load = { method: "GET", token, connections, seconds } as const;
    const loads = {
      bare: { ...load, url: line.toString().trim(), path: "/" },
      authenticated: { ...load, url: node.url, path: "/v1/connector-types/blackhole" },
    };
    const p99 = { bare: 0, authenticated: 0 };
    for (const [name, one] of Object.entries(loads) as [keyof typeof loads, Load][]) {
      await ask({ ...one, seconds: warmUpSeconds });
      const answered = await ask(one);
      p99[name] = percentile(answered.latencies, 0.99);
      tell(`gateway-${name}`, answered);
    }
    report({ scenario: "sync", name: "gateway-added", p99_ms: p99.authenticated - p99.bare });
  } finally {
    child.kill();
    await once(child, "exit");
  }
}

function tell(name: string, { latencies, others, seconds }: Answered, cpu?: Cpu, own?: NodeJS.CpuUsage): void {
  const requests = latencies.length;
  const ms = (share: number) => percentile(latencies, share);
  report({
    scenario: "sync",
    name,
    connections,
    requests,
    others: Object.fromEntries(others),
    seconds,
    rate: Math.round(requests / seconds),
    p50_ms: ms(0.5),
    p95_ms: ms(0.95),
    p99_ms: ms(0.99),
    ...(cpu && { cpu, cpu_us_a_request: ((cpu.node + cpu.nats + cpu.postgres) / requests) * 1e6 }),
    ...(own && { generator_cpu_seconds: (own.user + own.system) / 1e6 }),
  });
}
