import type { JsonObject } from "../../connectors/sdk/index.ts";
import { parseDuration } from "../../runtime/config/duration.ts";
import {
  completeIntegration,
  type ResolvedIntegration,
  type ResolvedSource,
  resolveIntegration,
} from "../../runtime/config/index.ts";
import { formatPath } from "../../runtime/errors/index.ts";
import type { Validator } from "../../runtime/ports/connectors.ts";
import type { LogKind } from "../../runtime/ports/log.ts";
import type { Sandbox } from "../../runtime/ports/sandbox.ts";
import { nameOf, type Outcome, type TestCase } from "../../runtime/testing/index.ts";
import type { Connectors } from "../connectors.ts";
import { own } from "../ledger-counts.ts";
import { AckWatch, nthBatch } from "./ack-watch.ts";
import { CallScript, CrashScript, DuplicateScript } from "./fault-script.ts";
import { GivenAnswers } from "./given-answers.ts";
import { type GivenSource, openGiven } from "./given-source.ts";
import { HeldRecords } from "./held-records.ts";
import { Life } from "./life.ts";
import type { Entry, LogScript } from "./memory-log.ts";
import { RealWork } from "./real-work.ts";
import { Servers } from "./servers.ts";

export interface SimulationOptions {
  readonly test: TestCase;
  /** The integration as configured. */
  readonly spec: JsonObject;
  /** JSON texts of the records that a source has. */
  readonly texts: (source: ResolvedSource) => readonly string[];
  readonly validator: Validator;
  readonly sandbox: Sandbox;
}

/** What a node that was killed is away for. */
const downMs = 1_000;
const never = new Promise<never>(() => {});

/**
 * Runs an integration's own actors over servers, sources and destinations in memory, with the faults of a test. Virtual
 * time goes on whenever nothing else can, so that hours of retries take milliseconds, and always in the same way.
 */
export function simulate(options: SimulationOptions): Promise<Outcome> {
  return new Simulation(options).outcome();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #integration: ResolvedIntegration;
  readonly #servers: Servers;
  readonly #work = new RealWork();
  readonly #crashes: CrashScript;
  readonly #duplicates: DuplicateScript;
  readonly #sources: ReadonlyMap<string, GivenSource>;
  readonly #destinations: ReadonlyMap<string, HeldRecords>;
  readonly #lookups: Map<string, GivenAnswers>;
  readonly #acks: AckWatch;

  constructor(options: SimulationOptions) {
    const { test, spec, texts } = options;
    this.#options = options;
    this.#integration = resolveIntegration(spec);
    this.#servers = new Servers(test.integration);
    this.#servers.tables.schema = test.given.schema ?? null;
    const { sources, destinations, crashes, duplicates } = test.faults ?? {};
    this.#crashes = new CrashScript(crashes);
    this.#duplicates = new DuplicateScript(duplicates);
    this.#sources = new Map(
      this.#integration.sources.map((source) => {
        const name = nameOf(source, sources) ?? "";
        const reads = new CallScript(formatPath(["faults", "sources", name, "reads"]), sources?.[name]?.reads);
        return [sourceKey(source), { texts: texts(source), batch: test.given.batch ?? 500, reads }];
      }),
    );
    this.#lookups = new Map(
      Object.entries(test.lookups ?? {}).map(([name, answers]) => [name, new GivenAnswers(name, answers)]),
    );
    this.#destinations = new Map(
      this.#integration.destinations.map(({ id }) => [
        id,
        new HeldRecords(`faults.destinations.${id}`, own(destinations ?? {}, id)),
      ]),
    );
    this.#acks = new AckWatch(this.#servers, this.#destinations);
  }

  async outcome(): Promise<Outcome> {
    const { test, spec } = this.#options;
    const servers = this.#servers;
    const startMs = Date.parse(test.given.at ?? "2026-01-01T00:00:00Z");
    const endMs = startMs + (parseDuration(test.stop_after ?? "2h") as number);
    servers.change(1, withOwnConnectors(spec));
    const id = servers.open(1, new Date(startMs));
    let now = startMs;
    for (let lives = 1; servers.run(id).status === "running" && now < endMs; lives++) {
      now = await this.#live(new Life(now, lives, 0), () => servers.run(id).status !== "running", endMs);
    }
    const run = servers.run(id);
    const scripts = [
      this.#crashes,
      this.#duplicates,
      ...Array.from(this.#sources.values(), ({ reads }) => reads),
      ...this.#destinations.values(),
      ...this.#lookups.values(),
    ];
    return {
      run,
      destinations: new Map(Array.from(this.#destinations, ([id, { outcome }]) => [id, outcome])),
      deadLetters: [...servers.tables.deadLetters.values()].sort((a, b) => a.position.ordinal - b.position.ordinal),
      acks: this.#acks.acks,
      elapsedMs: (run.finishedAt?.getTime() ?? now) - startMs,
      violations: [
        ...this.#acks.violations,
        ...Array.from(this.#lookups.values(), ({ unanswered }) => unanswered).flat(),
      ],
      unused: scripts.flatMap(({ unused }) => unused),
    };
  }

  /** One life of the node; returns the time of the next one's start. */
  async #live(life: Life, done: () => boolean, endMs: number): Promise<number> {
    this.#crashes.restarted();
    const { clock } = life;
    const die = async (): Promise<void> => {
      life.end();
      await never;
    };
    const { test, validator, sandbox } = this.#options;
    this.#servers.start(life, {
      connectors: this.#connectors(life, die),
      validator,
      sandbox: this.#work.sandbox(sandbox, test.name),
      logs: (kind) => this.#logScript(kind, die),
      store: {
        beforeCommit: async (settlements) => {
          const settles = settlements.some(({ checkpoints }) => checkpoints.length > 0);
          if (settles && this.#crashes.at("commit")) await die();
        },
      },
    });
    let goesOn = true;
    await clock.advance(0);
    while (goesOn && !life.over && !done()) {
      await this.#work.over();
      goesOn = await clock.jump(endMs);
    }
    if (!life.over) {
      life.end();
      return goesOn ? clock.now() : endMs;
    }
    this.#servers.forget();
    return clock.now() + downMs;
  }

  #connectors(life: Life, die: () => Promise<void>): Connectors {
    return {
      source: async (connector, options) => {
        await life.delay();
        const given = this.#sources.get(sourceKey({ connector, stream: options.stream })) as GivenSource;
        return openGiven(given, options, life);
      },
      destination: async (connector, options) => {
        await life.delay();
        const beforeWrite = async () => {
          if (this.#crashes.at("write", connector)) await die();
        };
        const destination = (this.#destinations.get(connector) as HeldRecords).open(options, life, beforeWrite);
        return { destination, type: connector };
      },
      of() {
        return this;
      },
      versions: async () => new Map(),
      lookups: {
        open: async (connector) => {
          const answers = this.#lookups.get(connector) ?? new GivenAnswers(connector);
          this.#lookups.set(connector, answers);
          return answers.open();
        },
      },
    };
  }

  #logScript(kind: LogKind, die: () => Promise<void>): LogScript {
    const stream = this.#servers.streams[kind];
    const log = (entry: Entry) => (kind === "deliver" ? entry.subject : undefined);
    const only = this.#integration.destinations.length === 1 ? this.#integration.destinations[0]?.id : undefined;
    return {
      beforeAppend: async (subject, { header }) => {
        const destination = kind === "deliver" ? subject : undefined;
        if (header.kind === "records" && this.#crashes.at("append", destination)) await die();
      },
      redelivers: ({ entry, deliveries }) =>
        deliveries === 1 && this.#duplicates.redelivers(log(entry), nthBatch(stream, entry)),
      beforeAck: async ({ entry }) => {
        const destination = kind === "deliver" ? entry.subject : only;
        if (entry.batch.header.kind === "records" && this.#crashes.at("ack", destination)) await die();
      },
      ack: (delivered) => {
        this.#acks.told(kind, delivered);
        const { entry } = delivered;
        if (this.#duplicates.losesAck(log(entry), nthBatch(stream, entry))) return "lost";
        this.#acks.heard(kind, delivered);
        return "taken";
      },
    };
  }
}

/** A destination's connector is called as the destination: two of them may write to one stream. */
function withOwnConnectors(spec: JsonObject): JsonObject {
  const { destinations, ...rest } = completeIntegration(spec);
  return {
    ...rest,
    destinations: (destinations as JsonObject[]).map((each) => ({ ...each, connector: each.id as string })),
  };
}

const sourceKey = ({ connector, stream }: { readonly connector: string; readonly stream: string }): string =>
  JSON.stringify([connector, stream]);
