import type { ConnectorType } from "../../connectors/sdk/index.ts";
import { messageOf } from "../../runtime/errors/index.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import type { PluginState, TypeDescription } from "../../runtime/ports/plugins.ts";
import { PluginError } from "./failure.ts";
import type { PluginLife, PluginTarget } from "./life.ts";
import { PluginConnection } from "./plugin-connection.ts";
import { PluginProcess } from "./plugin-process.ts";
import type { PluginLease } from "./plugin-source.ts";
import { describe, type PluginClient, pluginType } from "./plugin-type.ts";

export interface PluginOptions {
  /** For messages and for the log. */
  readonly name: string;
  /** What is asked for anew at each start may have changed: references are resolved then. */
  readonly plugin: PluginTarget | (() => Promise<PluginTarget>);
  readonly logger: Logger;
  readonly redact?: ((line: string) => string) | undefined;
}

export interface KeptPluginOptions extends PluginOptions {
  /** Asked of each life, with what it says that it is: why it is not taken, or undefined. */
  readonly accept: (description: TypeDescription) => Promise<string | undefined>;
}

const backoff = { initialMs: 200, maxMs: 30_000 };
/** One that lived this long has recovered: its next death starts with the shortest delay again. */
const healthyMs = 60_000;
const deathMs = 1_000;
/** For one that is being started: a start takes as long as its handshake and its answer may. */
const startMs = 20_000;

/**
 * A plugin that is kept up: started again when it dies, reached again when the connection breaks. What was under way
 * fails as what is away does (UNAVAILABLE), with the way it ended in the message, and is tried again by whoever asked.
 */
export class Plugin implements PluginClient {
  readonly name: string;
  readonly #options: PluginOptions;
  readonly #accept: KeptPluginOptions["accept"];
  readonly #stopping = new AbortController();
  #life: PluginLife | undefined;
  #type: ConnectorType | undefined;
  #state: PluginState = { status: "starting", reason: null };
  /** Resolves when the state changes next. */
  #changed = Promise.withResolvers<void>();
  #leases = 0;
  #free = () => {};
  #ended: Promise<void>;

  private constructor(options: PluginOptions, accept: KeptPluginOptions["accept"], first?: PluginLife) {
    this.name = options.name;
    this.#options = options;
    this.#accept = accept;
    if (first) this.#type = pluginType(describe(first.spec, options.name), this);
    this.#ended = this.#keepUp(first);
  }

  /** Resolves once it has said what it is, and stays so; rejects with the reason where it does not start. */
  static async start(options: PluginOptions): Promise<Plugin> {
    const first = await beginOf(options);
    const { type, version } = first.spec;
    const accept = async (next: TypeDescription) =>
      next.type === type && next.version === version ? undefined : `is another one now: ${next.type} ${next.version}`;
    try {
      return new Plugin(options, accept, first);
    } catch (error) {
      await first.stop();
      throw error;
    }
  }

  /** At once, whether it starts or not. */
  static keep({ accept, ...options }: KeptPluginOptions): Plugin {
    return new Plugin(options, accept);
  }

  /** As its life said last. Throws before the first. */
  get type(): ConnectorType {
    if (this.#type === undefined) throw new PluginError("UNAVAILABLE", `plugin ${this.name} has not said what it is`);
    return this.#type;
  }

  get state(): PluginState {
    return this.#state;
  }

  /** Undefined while it is being started again, and where it runs elsewhere. */
  get pid(): number | undefined {
    return this.#life?.pid;
  }

  async lease(signal: AbortSignal): Promise<PluginLease> {
    signal.throwIfAborted();
    if (this.#life === undefined && this.#state.status === "starting") await this.#outcome(signal);
    const life = this.#life;
    if (life === undefined) {
      // Whoever asks tries again by itself: it is told at once why there is none.
      throw new PluginError("UNAVAILABLE", `plugin ${this.name} ${this.#state.reason ?? "is being started"}`, {
        fault: "destination",
        notReady: true,
      });
    }
    this.#leases++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--this.#leases === 0) this.#free();
    };
    return { client: life.client, release, heard: () => life.heard?.(), died: () => this.#died(life) };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#become(undefined, { status: "unavailable", reason: "was stopped" });
    await this.#ended;
  }

  /** Stops once nobody uses it any more, after so many milliseconds at the latest. Is not started again meanwhile. */
  async retire(graceMs: number): Promise<void> {
    if (this.#leases > 0 && this.#life) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#free = resolve;
      const timer = setTimeout(resolve, graceMs);
      await Promise.race([promise, this.#life.exited]);
      clearTimeout(timer);
    }
    await this.stop();
  }

  async #died(life: PluginLife): Promise<string | undefined> {
    if (life.pid === undefined) return undefined;
    // The connection breaks a moment before the program is known to be gone.
    const moment = AbortSignal.timeout(deathMs);
    const end = await Promise.race([life.exited, aborted(moment)]);
    return end === undefined || this.#stopping.signal.aborted ? undefined : endingOf(end);
  }

  /** The end of a start, however it went. */
  async #outcome(signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(startMs)]);
    const { promise, resolve } = Promise.withResolvers<void>();
    limit.addEventListener("abort", () => resolve(), { once: true });
    while (this.#life === undefined && this.#state.status === "starting" && !limit.aborted) {
      await Promise.race([this.#changed.promise, promise]);
    }
    signal.throwIfAborted();
  }

  async #keepUp(first: PluginLife | undefined): Promise<void> {
    const { signal } = this.#stopping;
    let life = first;
    let attempt = 0;
    while (!signal.aborted) {
      life ??= await this.#again();
      if (life) {
        const since = Date.now();
        this.#become(life, { status: "ready", reason: null });
        const end = await Promise.race([life.exited, aborted(signal)]);
        if (end === undefined) return await life.stop();
        life.client.close();
        life = undefined;
        if (Date.now() - since > healthyMs) attempt = 0;
        const reason = endingOf(end);
        // One that has died for the first time is there again at once.
        this.#become(undefined, { status: attempt === 0 ? "starting" : "unavailable", reason });
        this.#options.logger.warn({ plugin: this.name, end }, "plugin ended");
      }
      await delay(Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(attempt++, 10)), signal);
    }
  }

  async #again(): Promise<PluginLife | undefined> {
    let reason: string | undefined;
    let life: PluginLife | undefined;
    try {
      life = await beginOf(this.#options);
      const description = describe(life.spec, this.name);
      reason = await this.#accept(description);
      if (reason === undefined && !this.#stopping.signal.aborted) {
        this.#type = pluginType(description, this);
        return life;
      }
    } catch (error) {
      const { redact = (text) => text } = this.#options;
      reason = redact(messageOf(error).replace(`plugin ${this.name} `, ""));
    }
    await life?.stop();
    if (this.#stopping.signal.aborted) return undefined;
    if (this.#state.reason !== reason) {
      this.#options.logger.error({ plugin: this.name, reason }, "plugin does not start");
    }
    this.#become(undefined, { status: "unavailable", reason: reason ?? null });
    return undefined;
  }

  #become(life: PluginLife | undefined, state: PluginState): void {
    this.#life = life;
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

async function beginOf({ plugin, ...rest }: PluginOptions): Promise<PluginLife> {
  const target = typeof plugin === "function" ? await plugin() : plugin;
  if ("address" in target) return await PluginConnection.open({ ...rest, plugin: target });
  return await PluginProcess.start({ ...rest, plugin: target });
}

const endingOf = (end: string): string => (end.startsWith("was ended") ? end : `ended (${end})`);

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
