import { type GuardedCommand, type GuardedProcess, startGuarded } from "./guarded-process.ts";
import { openLogFile } from "./log-file.ts";

export type ServerStatus =
  | { readonly state: "ready" }
  /** It died and is being started again. */
  | { readonly state: "restarting"; readonly reason: string }
  | { readonly state: "stopped" };

/** A real server that runs as a supervised child of this process, on 127.0.0.1. */
export interface ServerHandle {
  /** With the credentials in it; the same for the handle's whole life. */
  readonly url: string;
  readonly port: number;
  /** The server's process id at the moment, undefined while it is down. */
  readonly pid: number | undefined;
  readonly status: ServerStatus;
  /** Calls `listener` on every change; returns what ends that. */
  onStatus(listener: (status: ServerStatus) => void): () => void;
  /** Ends the server, by force after ten seconds. */
  stop(): Promise<void>;
}

export interface ServerSpec {
  /** As in messages: `nats-server`. */
  readonly name: string;
  readonly logFile: string;
  /** Called before each start. */
  command(): Promise<Omit<GuardedCommand, "output">>;
  /** Resolves when the server takes requests, rejects when `signal` aborts. */
  ready(signal: AbortSignal): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 10_000;
const FIRST_ATTEMPTS = 3;
const BACKOFF = { initialMs: 100, maxMs: 5_000 };
/** A server that was up this long has recovered: its next death starts with the shortest delay again. */
const HEALTHY_MS = 30_000;

/** A server that is started again whenever it dies, until it is stopped. */
export class SupervisedServer {
  readonly #spec: ServerSpec;
  readonly #listeners = new Set<(status: ServerStatus) => void>();
  readonly #stopping = new AbortController();
  #status: ServerStatus = { state: "restarting", reason: "starting" };
  #process: GuardedProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  private constructor(spec: ServerSpec) {
    this.#spec = spec;
  }

  /** Resolves when the server is ready; rejects with the last lines of its log when it does not start. */
  static async start(spec: ServerSpec): Promise<SupervisedServer> {
    const server = new SupervisedServer(spec);
    for (let attempt = 1; ; attempt++) {
      try {
        const life = await server.#startOnce();
        server.#ended = server.#keepUp(life);
        return server;
      } catch (error) {
        // What a killed predecessor left (shared memory, a port) goes away by itself within moments.
        if (attempt >= FIRST_ATTEMPTS) throw error;
        await server.#delay(attempt);
      }
    }
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get status(): ServerStatus {
    return this.#status;
  }

  onStatus(listener: (status: ServerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop(STOP_MS);
    await this.#ended;
    this.#become({ state: "stopped" });
  }

  async #keepUp(first: GuardedProcess): Promise<void> {
    let life: GuardedProcess | undefined = first;
    for (let attempt = 1; ; ) {
      if (life !== undefined) {
        const since = Date.now();
        const end = await life.exited;
        this.#process = undefined;
        if (this.#stopping.signal.aborted) return;
        this.#become({ state: "restarting", reason: `${this.#spec.name} ended (${end})` });
        if (Date.now() - since > HEALTHY_MS) attempt = 1;
      }
      await this.#delay(attempt++);
      if (this.#stopping.signal.aborted) return;
      life = await this.#startOnce().catch((error: Error) => {
        this.#become({ state: "restarting", reason: error.message });
        return undefined;
      });
    }
  }

  /** One life of the server, from its start until it is ready. */
  async #startOnce(): Promise<GuardedProcess> {
    const log = openLogFile(this.#spec.logFile);
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, this.#stopping.signal, AbortSignal.timeout(START_MS)]);
    try {
      const life = await startGuarded({ ...(await this.#spec.command()), output: log.fd });
      this.#process = life;
      const died = life.exited.then((end) => {
        throw new Error(`it ended (${end})`);
      });
      try {
        await Promise.race([this.#spec.ready(signal), died]);
      } catch (error) {
        await life.stop(STOP_MS);
        throw error;
      }
      this.#become({ state: "ready" });
      return life;
    } catch (error) {
      this.#process = undefined;
      const lines = log.tail(12);
      throw new Error(
        `${this.#spec.name} did not start: ${(error as Error).message}. Its log is ${log.path}` +
          (lines === "" ? "." : `, and ends with:\n${lines}`),
      );
    } finally {
      giveUp.abort();
      log.close();
    }
  }

  #become(status: ServerStatus): void {
    this.#status = status;
    for (const listener of this.#listeners) listener(status);
  }

  /** Exponential, with jitter; ends early on stop. */
  #delay(attempt: number): Promise<void> {
    const ceiling = Math.min(BACKOFF.maxMs, BACKOFF.initialMs * 2 ** (attempt - 1));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ceiling * (0.5 + Math.random() / 2));
    this.#stopping.signal.addEventListener("abort", () => resolve(), { once: true });
    return promise.finally(() => clearTimeout(timer));
  }
}

/** Calls `attempt` until it succeeds; rejects with its last error once `signal` aborts. */
export async function untilReady(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let pauseMs = 5; ; pauseMs = Math.min(100, pauseMs * 1.5)) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
