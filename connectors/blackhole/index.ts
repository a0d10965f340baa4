import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import {
  type Connector,
  type ConnectorType,
  type Destination,
  type DestinationOptions,
  inferSchema,
  type Json,
  parseDuration,
  random,
  type StreamInfo,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import { type BlackholeConfig, blackholeConfig } from "./config.ts";

export type { BlackholeConfig } from "./config.ts";

/** A destination that takes everything and keeps nothing; see docs/connectors/blackhole.md. */
export const blackhole: ConnectorType<BlackholeConfig> = {
  type: "blackhole",
  version: "1.0.0",
  title: "Blackhole",
  description: "Takes every record and keeps none, with latency, failures and hangs on request.",
  config: blackholeConfig,
  capabilities: { destination: { modes: ["append", "upsert", "replace"] } },
  create: (config) => new Blackhole(config),
};

export interface KeptRecord {
  readonly stream: string;
  readonly id: string;
  readonly record: Json;
}

/** Codes that a second try may get past. */
const transient = new Set(["RATE_LIMITED", "INTERNAL_ERROR", "UNAVAILABLE", "TIMEOUT"]);

export class Blackhole implements Connector {
  readonly #config: BlackholeConfig;
  readonly #latencyMs: number;
  readonly #written = new Map<string, number>();
  #kept: KeptRecord[] = [];
  #tries = 0;

  constructor(config: BlackholeConfig) {
    this.#config = config;
    const { latency = 0 } = config;
    this.#latencyMs = typeof latency === "number" ? latency : parseDuration(latency);
  }

  /** The last `keep` records that did not fail, oldest first. */
  get kept(): readonly KeptRecord[] {
    return this.#kept.slice(-this.#keep);
  }

  /** Records that did not fail, by stream. */
  get written(): ReadonlyMap<string, number> {
    return this.#written;
  }

  async check(): Promise<void> {}

  /** The streams written to, by what was kept of them. */
  async discover(): Promise<StreamInfo[]> {
    return [...this.#written.keys()].map((name) => ({
      name,
      schema: inferSchema(this.kept.filter((kept) => kept.stream === name).map((kept) => kept.record)),
    }));
  }

  async openDestination({ stream }: DestinationOptions): Promise<Destination> {
    return {
      concurrency: 4,
      write: (batch) => this.#write(stream, batch),
      complete: async () => {},
      close: async () => {},
    };
  }

  async close(): Promise<void> {}

  async #write(stream: string, { records, signal }: WriteBatch): Promise<WriteResult> {
    signal.throwIfAborted();
    if (this.#latencyMs > 0) await sleep(this.#latencyMs, undefined, { signal });
    const { fail, hang_after = Number.POSITIVE_INFINITY } = this.#config;
    const total = this.#written.values().reduce((sum, count) => sum + count, 0);
    if (total + records.length > hang_after) await hang(signal);
    const failed: WriteFailure[] = [];
    if (fail && fail.ratio > 0) {
      const { ratio, code = "VALIDATION_ERROR" } = fail;
      for (const [index, { id }] of records.entries()) {
        // A record that cannot pass fails each time; a code that goes away is drawn anew at each try.
        const attempt = transient.has(code) ? ++this.#tries : 0;
        if (random(crc32(id), attempt, 0) < ratio) {
          failed.push({ index, code, message: `The blackhole fails ${ratio * 100} % of its records, as configured.` });
        }
      }
    }
    this.#written.set(stream, (this.#written.get(stream) ?? 0) + records.length - failed.length);
    if (this.#keep > 0) this.#retain(stream, records, new Set(failed.map(({ index }) => index)));
    return failed.length > 0 ? { failed } : {};
  }

  #retain(stream: string, records: WriteBatch["records"], failed: ReadonlySet<number>): void {
    for (let index = Math.max(0, records.length - this.#keep - failed.size); index < records.length; index++) {
      const { id, value } = records[index]!;
      if (!failed.has(index)) this.#kept.push({ stream, id, record: value });
    }
    // Cut when twice as long as needed, so that a batch does not pay for moving all.
    if (this.#kept.length > 2 * this.#keep) this.#kept = this.#kept.slice(-this.#keep);
  }

  get #keep(): number {
    return this.#config.keep ?? 0;
  }
}

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
