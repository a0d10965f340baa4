import { isDeepStrictEqual } from "node:util";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { ConnectorEvent, ConnectorEventStore } from "../../runtime/ports/connector-events.ts";
import type { ConnectorRegistry } from "../../runtime/ports/connectors.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import { failureOf, within } from "./probe.ts";

export interface ConnectorEventsOptions {
  readonly store: { readonly connectorEvents: ConnectorEventStore };
  readonly registry: ConnectorRegistry;
  readonly logger: Logger;
}

const lookMs = 2_000;
const atOnce = 8;
const callMs = 60_000;
/** A call, and what stands around it. */
const leaseMs = 2 * callMs;
const pauses = { initialMs: 1_000, mostMs: 5 * 60_000 };
/** A plugin that nobody brings back is not waited for without end: what it made outside is told in the log. */
const givenUpMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Tells connector types what becomes of their connectors, for those that want to know: what one made outside, it changes
 * and cleans up. At least once each, in order for each connector, from whichever node gets to it; tried again while the
 * type's plugin is away. No change waits for it.
 */
export class ConnectorEvents {
  readonly #options: ConnectorEventsOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ConnectorEventsOptions) {
    this.#options = options;
  }

  start(): void {
    const next = () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#stopping.signal.aborted) this.#timer = setTimeout(next, lookMs);
      });
    };
    next();
  }

  /** What is under way is given up; it comes again. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the node stops"));
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { connectorEvents } = this.#options.store;
    try {
      for (;;) {
        if (this.#stopping.signal.aborted) return;
        const events = await connectorEvents.take(atOnce, leaseMs);
        await Promise.all(events.map((event) => this.#tell(event)));
        if (events.length === 0) return;
      }
    } catch {
      // The store is away: what was taken comes again.
    }
  }

  async #tell(event: ConnectorEvent): Promise<void> {
    const { store, logger } = this.#options;
    const { id, attempts, createdAt, connector } = event;
    const fields = { connector: connector.id, type: connector.type, event: event.event };
    try {
      await this.#call(event);
      await store.connectorEvents.done(id);
      return;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const reason = failureOf(error).message;
      if (Date.now() - createdAt.getTime() > givenUpMs) {
        logger.error(
          { ...fields, reason },
          "a connector's type was not told of a change for 30 days: it never will be",
        );
        await store.connectorEvents.done(id);
        return;
      }
      if (attempts === 0) logger.warn({ ...fields, reason }, "a connector's type is told of a change later");
    }
    await store.connectorEvents.putOff(id, Math.min(pauses.mostMs, pauses.initialMs * 2 ** Math.min(attempts, 20)));
  }

  async #call({ event, connector: row, previous }: ConnectorEvent): Promise<void> {
    const { registry } = this.#options;
    const type = registry.type(row.type);
    if (type === undefined) throw new SluiceError("NOT_FOUND", `nothing serves the connector type ${row.type}`);
    if (type.capabilities.lifecycle !== true) return;
    const before = event === "updated" && previous !== null ? await registry.configOf({ ...row, ...previous }) : null;
    if (before !== null && isDeepStrictEqual(before, await registry.configOf(row))) return;
    const connector = await registry.open(row);
    try {
      await within(callMs, async (limit) => {
        const signal = AbortSignal.any([limit, this.#stopping.signal]);
        if (event === "created") await connector.created?.(signal);
        else if (event === "deleted") await connector.deleted?.(signal);
        else if (before !== null) await connector.updated?.(before, signal);
      });
    } finally {
      await connector.close();
    }
  }
}
