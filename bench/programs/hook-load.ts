import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";

/** Sends signed hooks over connections that stay open, and writes one JSON line: what was answered, and how fast. */
const [url, connections, seconds, secret] = process.argv.slice(2) as [string, string, string, string];
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const { hostname, port, pathname: path } = new URL(url);
const latencies: number[] = [];
const statuses: Record<string, number> = {};
const begin = performance.now();
const end = begin + Number(seconds) * 1000;
let sent = 0;

function post(): Promise<number> {
  const body = JSON.stringify({
    id: sent++,
    event: "order.paid",
    customer: "c-1829",
    amount: 129.9,
    note: "x".repeat(120),
  });
  const digest = createHmac("sha256", secret).update(body).digest("hex");
  const headers = {
    "content-type": "application/json",
    "content-length": body.length,
    "x-hub-signature-256": `sha256=${digest}`,
    "x-github-delivery": `${process.pid}-${sent}`,
  };
  return new Promise((resolve, reject) => {
    const made = request({ agent, hostname, port, path, method: "POST", headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode as number));
    });
    made.on("error", reject);
    made.end(body);
  });
}

await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    while (performance.now() < end) {
      const before = performance.now();
      const status = await post();
      latencies.push(performance.now() - before);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  }),
);
const took = (performance.now() - begin) / 1000;
latencies.sort((a, b) => a - b);
const at = (share: number) => latencies[Math.max(0, Math.ceil(latencies.length * share) - 1)];
const percentiles = { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
process.stdout.write(`${JSON.stringify({ statuses, seconds: took, percentiles })}\n`);
agent.destroy();
