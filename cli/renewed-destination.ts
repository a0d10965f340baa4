import {
  ConnectorError,
  type Destination,
  type Json,
  type WriteBatch,
  type WriteResult,
} from "../connectors/sdk/index.ts";
import { failureOf } from "../runtime/delivery/index.ts";
import { NotReadyError } from "../runtime/errors/index.ts";

export interface RenewedDestinationOptions {
  /** Opens it as the connector is at the moment; `state` is that of the last write. */
  open(state: Json | null): Promise<{ readonly destination: Destination; readonly madeOf: string }>;
  /** What the connector is made of by now, where that is known. */
  latest(): string | undefined;
  readonly state: Json | null;
}

/** A write that hangs, and was left behind, does not keep the others from a new password. */
const idleMs = 5_000;

/**
 * A destination that is opened anew, between two writes, where its connector is made of something else than before: a
 * password was replaced. Nothing is under way then, so that no record is lost or written twice for it.
 */
export class RenewedDestination implements Destination {
  readonly concurrency: number;
  readonly dedupes?: boolean;
  readonly timesRequests?: boolean;
  readonly warnings?: readonly string[];
  readonly #options: RenewedDestinationOptions;
  /** Undefined where it was closed and could not be opened again. */
  #current: Destination | undefined;
  #madeOf: string;
  #state: Json | null;
  #writing = 0;
  #idle: () => void = () => {};
  #renewing: Promise<void> | undefined;

  private constructor(options: RenewedDestinationOptions, current: Destination, madeOf: string) {
    this.#options = options;
    this.#current = current;
    this.#madeOf = madeOf;
    this.#state = options.state;
    this.concurrency = current.concurrency;
    if (current.dedupes !== undefined) this.dedupes = current.dedupes;
    if (current.timesRequests !== undefined) this.timesRequests = current.timesRequests;
    if (current.warnings !== undefined) this.warnings = current.warnings;
  }

  static async open(options: RenewedDestinationOptions): Promise<RenewedDestination> {
    const { destination, madeOf } = await options.open(options.state);
    return new RenewedDestination(options, destination, madeOf);
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    while (this.#current === undefined || this.#isOutdated()) await this.#renew();
    this.#writing++;
    try {
      const result = await this.#current.write(batch);
      if (result.state !== undefined) this.#state = result.state;
      return result;
    } finally {
      this.#writing--;
      if (this.#writing === 0) this.#idle();
    }
  }

  async complete(): Promise<void> {
    if (this.#current === undefined) await this.#renew();
    await this.#current?.complete();
  }

  async close(): Promise<void> {
    await this.#renewing?.catch(() => {});
    await this.#current?.close();
  }

  #isOutdated(): boolean {
    const latest = this.#options.latest();
    return latest !== undefined && latest !== this.#madeOf;
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#renewNow().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewNow(): Promise<void> {
    if (this.#writing > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, idleMs);
        this.#idle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const former = this.#current;
    this.#current = undefined;
    await former?.close().catch(() => {});
    const { destination, madeOf } = await this.#options.open(this.#state).catch((error: unknown) => {
      throw ofNoRecord(error);
    });
    this.#current = destination;
    this.#madeOf = madeOf;
  }
}

/** That it cannot be opened is no record's fault, and no try of one: a reference does not resolve, Vault is away. */
function ofNoRecord(error: unknown): unknown {
  if (error instanceof Error && error.name === "StaleOwnerError") return error;
  const { code, fault, message, path } = failureOf(error);
  if (fault === "transient" && !(error instanceof NotReadyError)) return error;
  return new ConnectorError(code, message, { fault: "destination", ...(path !== undefined && { path }) });
}
