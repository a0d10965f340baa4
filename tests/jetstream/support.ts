import { inject } from "vitest";
import { connectLogs, type JetStreamLogs, type LogsOptions } from "../../adapters/jetstream/index.ts";
import type { LogBatch, LogConsumer, LogMessage } from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";

/** The server that all tests share; one that kills its server starts its own (startServer). */
export function serverUrl(): string {
  return inject("natsUrl");
}

/** Bytes of a batch that the shared server takes in no message. */
export const largeSize = 9 * 1024 * 1024;

/** The claim store's contract over a Map: large batches are Postgres's business, not the log's. */
export class MemoryClaims implements ClaimStore {
  readonly kept = new Map<string, Uint8Array>();
  #next = 0;

  async put(_integrationId: string, bytes: Uint8Array): Promise<string> {
    const id = `claim-${this.#next++}`;
    this.kept.set(id, bytes.slice());
    return id;
  }

  async get(id: string): Promise<Uint8Array | null> {
    return this.kept.get(id) ?? null;
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.kept.delete(id);
  }

  async ids(): Promise<readonly string[]> {
    return [...this.kept.keys()];
  }

  async bytes(): Promise<number> {
    return Array.from(this.kept.values(), ({ length }) => length).reduce((sum, length) => sum + length, 0);
  }
}

export function connectTo(url: string, options: Partial<LogsOptions> = {}): Promise<JetStreamLogs> {
  return connectLogs({ url, name: "test", claims: new MemoryClaims(), ...options });
}

/** Batch `n` of a run; `size` is that of its body in bytes. */
export function batchOf(n: number, size = 200): LogBatch {
  const text = JSON.stringify({ n, fill: "" });
  const body = new TextEncoder().encode(JSON.stringify({ n, fill: "x".repeat(Math.max(0, size - text.length)) }));
  return {
    header: {
      kind: "records",
      runId: "0193-run",
      integrationVersion: 1,
      stream: "orders",
      source: "test",
      count: 1,
      cursor: { n },
      position: { base: "orders.ndjson", offset: n },
      ingestedAt: 1_700_000_000_000,
      totals: { batches: n + 1, records: n + 1 },
    },
    body,
  };
}

/** The number that `batchOf` was given. */
export function numberOf(batch: LogBatch): number {
  return (batch.header.cursor as { n: number }).n;
}

/** Pulls until `count` messages have come, or `signal` aborts. */
export async function take(
  consumer: LogConsumer,
  count: number,
  onMessage: (message: LogMessage) => unknown,
  signal = AbortSignal.timeout(60_000),
): Promise<void> {
  let taken = 0;
  while (taken < count) {
    signal.throwIfAborted();
    for await (const message of consumer.pull(count - taken, signal)) {
      taken++;
      await onMessage(message);
    }
  }
}
