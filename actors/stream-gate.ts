import type { JsonObject } from "../connectors/sdk/index.ts";
import type { ResolvedSource, SchemaContract } from "../runtime/config/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import type { Drift, RunRow, SchemaStore, StreamKey } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import { type ContractResult, StreamContract } from "../runtime/schema/index.ts";
import { persist } from "./persist.ts";

export interface StreamGateOptions {
  readonly run: RunRow;
  /** The integration's name. */
  readonly name: string;
  readonly source: ResolvedSource;
  readonly contract: SchemaContract;
  readonly schemas: SchemaStore;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Holds what a run reads against its stream's current schema, and keeps what was new. */
export class StreamGate {
  readonly #options: StreamGateOptions;
  readonly #stream: StreamKey;
  readonly #contract: StreamContract;
  #version: number;
  #saved: Promise<void> = Promise.resolve();

  static async open(options: StreamGateOptions): Promise<StreamGate> {
    const { run, source, schemas, clock, signal } = options;
    const stream = { integrationId: run.integrationId, connector: source.connector, stream: source.stream };
    const current = await persist(clock, signal, () => schemas.current(stream));
    const contract = new StreamContract(options.contract, current?.schema ?? null);
    return new StreamGate(options, stream, contract, current?.version ?? 0);
  }

  private constructor(options: StreamGateOptions, stream: StreamKey, contract: StreamContract, version: number) {
    this.#options = options;
    this.#stream = stream;
    this.#contract = contract;
    this.#version = version;
  }

  apply(values: readonly JsonObject[]): ContractResult {
    const before = this.#contract.schema;
    const result = this.#contract.apply(values);
    if (result.drift.length > 0 || this.#contract.schema !== before) this.#save(result.drift);
    return result;
  }

  /** Resolves once all drift so far is kept: no record is settled before what was new in it is told. */
  saved(): Promise<void> {
    return this.#saved;
  }

  #save(drift: readonly Drift[]): void {
    const { run, name, schemas, metrics, logger, clock, signal } = this.#options;
    const { schema } = this.#contract;
    if (drift.length > 0) {
      metrics.schemaDrift(name, drift.length);
      logger.warn({ integration: name, run: run.id, facts: drift.length }, "schema drift");
    }
    const save = async () => {
      await schemas.recordDrift(run.id, { stream: this.#stream, version: this.#version }, drift);
      if (schema !== null) this.#version = (await schemas.add(this.#stream, schema)) ?? this.#version;
    };
    // In turn: the latest version is the widest.
    this.#saved = this.#saved.then(() => persist(clock, signal, save));
    this.#saved.catch(() => {}); // Whoever settles hears of it.
  }
}
