import { createHmac, createSecretKey } from "node:crypto";
import { ask } from "../connections.ts";
import { percentile } from "../report.ts";

/** Sends signed hooks over connections that stay open, and writes one JSON line: what was answered, how fast, at what cost. */
const [url, connections, seconds, secret] = process.argv.slice(2) as [string, string, string, string];
const { origin, host, pathname: path } = new URL(url);
const key = createSecretKey(Buffer.from(secret));
const note = "x".repeat(120);
let sent = 0;

function next(): Buffer {
  sent++;
  const body = JSON.stringify({
    id: `${process.pid}-${sent}`,
    event: "order.paid",
    customer: "c-1829",
    amount: 129.9,
    note,
  });
  const digest = createHmac("sha256", key).update(body).digest("hex");
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
      `X-Hub-Signature-256: sha256=${digest}\r\nX-GitHub-Delivery: ${process.pid}-${sent}\r\n\r\n${body}`,
  );
}

const load = { url: origin, method: "POST", path, next, right: 202, connections: Number(connections) } as const;
const own = process.cpuUsage();
const { latencies, others, seconds: took } = await ask({ ...load, seconds: Number(seconds) });
const { user, system } = process.cpuUsage(own);
const at = (share: number) => percentile(latencies, share);
const percentiles = { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
const statuses = { 202: latencies.length, ...Object.fromEntries(others) };
process.stdout.write(
  `${JSON.stringify({ statuses, seconds: took, percentiles, cpuSeconds: (user + system) / 1e6 })}\n`,
);
