import {
  ConnectorError,
  type Destination,
  type Json,
  type OutRecord,
  type Source,
  type WriteFailure,
} from "../../connectors/sdk/index.ts";
import type { Validator } from "../../runtime/ports/connectors.ts";
import type { Lookups } from "../../runtime/ports/lookups.ts";
import type { Sandbox } from "../../runtime/ports/sandbox.ts";
import type { Settlement } from "../../runtime/ports/store.ts";
import type { Connectors } from "../connectors.ts";
import type { IntegrationMessage } from "../integration.ts";
import { Life } from "../simulation/life.ts";
import type { LogScript } from "../simulation/memory-log.ts";
import { Servers } from "../simulation/servers.ts";

/** Chances, 0 to 1. */
export interface Faults {
  /** A message in hand is delivered again. */
  readonly redeliver: number;
  /** An ack is lost, or taken back after it was confirmed. */
  readonly loseAck: number;
  /** A commit's answer is an error, whether it was made or not. */
  readonly commit: number;
  /** A write throws, whether it was made or not. */
  readonly write: number;
  /** Reading throws. */
  readonly read: number;
  /** A write does not take one of its records this time; in order, none behind it either. */
  readonly skip: number;
}

export const noFaults: Faults = { redeliver: 0, loseAck: 0, commit: 0, write: 0, read: 0, skip: 0 };

export interface TestRecord {
  readonly n: number;
  readonly keep: boolean;
  /** Refused by every destination. */
  readonly bad: boolean;
}

/** Of a moment on the way to a server. */
const latencyMs = 4;
const notNow = (index: number): WriteFailure => ({ index, code: "UNAVAILABLE", message: "not now" });
const refused = (index: number): WriteFailure => ({ index, code: "BUSINESS_RULE", message: "refused" });
/** How often a source that has nothing new says that it lives. */
const quietMs = 5_000;

/** An integration's actors on servers in memory, which outlive them, with faults by chance. */
export class World extends Servers {
  /** What the destinations hold, by their stream: how often each record was written. */
  readonly landed = new Map<string, Map<number, number>>();
  /** The same in mode replace: what each file holds. */
  readonly files = new Map<string, Json[]>();
  /** What the source has: batches of records. */
  batches: readonly (readonly TestRecord[])[] = [];
  faults: Faults = noFaults;
  validator: Validator = { compile: () => () => [] };
  /** Evaluates scripts. */
  script: Sandbox["run"] = () => Promise.reject(new Error("no script runs here"));
  /** The store takes no commits. */
  away = false;
  /** The source's cursor behind so many batches; a reading begins anew behind one that is no number. */
  cursorOf: (batches: number) => Json = (batches) => batches;
  /** Called before the source is opened. */
  beforeOpen: () => void | Promise<void> = () => {};
  /** Called before a destination is opened. */
  beforeOpenDestination: () => void | Promise<void> = () => {};
  /** Opens what a step asks. */
  lookup: Lookups["open"] = () => Promise.reject(new Error("nothing is looked up here"));
  /** Called when the source is closed. */
  closing: () => void | Promise<void> = () => {};
  /** Called before batch `at` is read. */
  beforeRead: (at: number) => void | Promise<void> = () => {};
  /** Called before each write. */
  beforeWrite: (stream: string, records: readonly OutRecord[]) => void | Promise<void> = () => {};
  /** Called with what a write takes, in order; `confirmed`: and says so. */
  wrote: (stream: string, records: readonly TestRecord[], confirmed: boolean) => void = () => {};
  /** Why the store does not take what is to be committed, or undefined. */
  refuses: (settlement: Settlement) => string | undefined = () => undefined;
  /** Called with what is about to be committed. */
  committing: (settlements: readonly Settlement[]) => void = () => {};
  /** Called before the store tells its checkpoints. */
  beforeLoad: () => void | Promise<void> = () => {};
  /** Called before what is suspect is noted, or let go. */
  beforeNote: () => void | Promise<void> = () => {};
  /** Of each destination. */
  concurrency = 2;
  warnings: readonly string[] = [];
  /** How often the source was opened without an end. */
  opened = 0;
  /** What the source was told to be stored, last. */
  stored: Json = null;
  /** What the source says of itself with all that it gives. */
  notice: string | undefined;
  /** The plugin that all connectors run in. */
  plugin: string | undefined;
  /** How often each source has failed, one time after the other. */
  readonly #refusals = new Map<string, number>();
  #now = 0;
  #seed: number;

  constructor(spec: Record<string, Json>, seed = 1) {
    super("test");
    this.#seed = seed;
    this.change(1, spec);
  }

  override open(integrationVersion = 1): string {
    return super.open(integrationVersion, new Date(0));
  }

  get running(): boolean {
    return [...this.tables.runs.values()].some(({ status }) => status === "running");
  }

  begin(): Incarnation {
    const life = new Life(this.#now, this.#seed++, latencyMs);
    const chances: LogScript = {
      idleMs: () => Math.floor(life.random() * 20),
      redelivers: () => life.random() < this.faults.redeliver,
      ack: () => (life.random() >= this.faults.loseAck ? "taken" : life.random() < 0.5 ? "refused" : "lost"),
    };
    const node = this.start(life, {
      connectors: this.#connectors(life),
      validator: this.validator,
      sandbox: { run: (...asked) => this.script(...asked), close: async () => {} },
      logs: () => chances,
      store: {
        failing: () => (this.away ? 2 : this.faults.commit),
        refuses: (settlement) => this.refuses(settlement),
        beforeCommit: async (settlements) => this.committing(settlements),
        beforeLoad: async () => this.beforeLoad(),
        beforeNote: async () => this.beforeNote(),
      },
    });
    const keepTime = () => {
      this.#now = life.clock.now();
    };
    return {
      tell: (message) => node.ref.tell(message),
      advance: async (ms, until = () => false) => {
        for (const end = life.clock.now() + ms; life.clock.now() < end && !until(); ) await life.clock.advance(5);
        keepTime();
      },
      kill: () => {
        life.end();
        this.forget();
      },
      stop: async () => {
        let stopped = false;
        void node.stop().then(() => {
          stopped = true;
        });
        const begun = life.clock.now();
        while (!stopped && life.clock.now() < begun + 60_000) await life.clock.advance(5);
        keepTime();
        life.end();
        return life.clock.now() - begun;
      },
    };
  }

  #connectors(life: Life): Connectors {
    return {
      source: async (name, { stream, from, endless = false, signal }) => {
        await life.delay();
        await this.beforeOpen();
        if (endless) this.opened++;
        return this.#source(
          life,
          `${name} ${stream}`,
          typeof from === "number" ? from : 0,
          endless ? signal : undefined,
        );
      },
      destination: async (_name, { stream, mode, state }) => {
        await life.delay();
        await this.beforeOpenDestination();
        const destination =
          mode === "replace" ? this.#file(life, stream, Number(state ?? 0)) : this.#destination(life, stream);
        return { destination, type: "fake" };
      },
      lookups: { open: (connector) => this.lookup(connector) },
      of() {
        return this;
      },
      versions: async () => new Map(),
      plugin: async () => this.plugin,
    };
  }

  /** `endless`: its signal, where it has no end. */
  #source(life: Life, name: string, from: number, endless: AbortSignal | undefined): Source {
    const { faults, cursorOf } = this;
    const given = (at: number) => this.batches[at];
    const before = (at: number) => this.beforeRead(at);
    const inARow = this.#refusals;
    const said = () => (this.notice === undefined ? {} : { notice: this.notice });
    async function* read() {
      for (let at = from; endless || given(at); at++) {
        for (const position = { base: "", offset: 0 }; endless && !given(at); ) {
          await life.clock.sleep(quietMs, endless);
          if (!given(at)) yield { data: Buffer.alloc(0), count: 0, cursor: at, position, ...said() };
        }
        await before(at);
        await life.delay();
        // A source that fails three times before it has begun is given up: chance alone must not do that.
        const failures = inARow.get(name) ?? 0;
        if (life.random() < faults.read && failures < 2) {
          inARow.set(name, failures + 1);
          throw new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
        }
        inARow.delete(name);
        const records = given(at) as readonly TestRecord[];
        const data = Buffer.from(records.map((record) => JSON.stringify(record)).join("\n"));
        const position = { base: `batch ${at}`, offset: 1 };
        yield { data, count: records.length, cursor: cursorOf(at + 1), position, ...said() };
      }
    }
    const stored = (cursor: Json) => {
      this.stored = cursor;
    };
    return { read, stored, close: async () => this.closing() };
  }

  /** One write at a time; what stands behind the state is undone when it is opened. */
  #file(life: Life, stream: string, kept: number): Destination {
    const lines = (this.files.get(stream) ?? []).slice(0, kept);
    this.files.set(stream, lines);
    return {
      concurrency: 1,
      write: async ({ records, ordered }) => {
        await life.delay();
        if (life.random() < this.faults.write) throw new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
        const skipped = life.random() < this.faults.skip ? Math.floor(life.random() * records.length) : -1;
        const failed: WriteFailure[] = [];
        for (const [index, { value }] of records.entries()) {
          if (index === skipped) {
            failed.push(notNow(index));
            if (ordered) break;
          } else if ((value as unknown as TestRecord).bad) failed.push(refused(index));
          else lines.push(value);
        }
        await life.delay();
        return { state: lines.length, failed };
      },
      complete: async () => life.delay(),
      close: async () => {},
    };
  }

  #destination(life: Life, stream: string): Destination {
    const held = this.landed.get(stream) ?? new Map<number, number>();
    this.landed.set(stream, held);
    return {
      concurrency: this.concurrency,
      warnings: this.warnings,
      write: async ({ records, ordered }) => {
        await this.beforeWrite(stream, records);
        await life.delay();
        const chance = life.random();
        const away = () => new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
        if (chance < this.faults.write / 2) throw away();
        const failed: WriteFailure[] = [];
        const taken: TestRecord[] = [];
        const skipped = life.random() < this.faults.skip ? Math.floor(life.random() * records.length) : -1;
        for (const [index, { value }] of records.entries()) {
          const record = value as unknown as TestRecord;
          const { n, bad } = record;
          if (index === skipped) {
            failed.push(notNow(index));
            if (ordered) break;
          } else if (bad) failed.push(refused(index));
          else {
            held.set(n, (held.get(n) ?? 0) + 1);
            taken.push(record);
          }
        }
        this.wrote(stream, taken, chance >= this.faults.write);
        if (chance < this.faults.write) throw away();
        await life.delay();
        return { failed, state: [...held.values()].reduce((sum, times) => sum + times, 0) };
      },
      complete: async () => life.delay(),
      close: async () => {},
    };
  }
}

export interface Incarnation {
  tell(message: IntegrationMessage): void;
  /** Lets time pass, in steps of 5 ms, until `until` holds. */
  advance(ms: number, until?: () => boolean): Promise<void>;
  /** As `kill -9` does. */
  kill(): void;
  /** Stops in order; returns how many milliseconds it took, 60,000 where it did not end. */
  stop(): Promise<number>;
}
