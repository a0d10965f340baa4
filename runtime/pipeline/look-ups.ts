import type {
  Correlation,
  Json,
  JsonObject,
  LookupResult,
  OutRecord,
  WriteBatch,
  WriteResult,
} from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import { deliver, type Gate, type RetryPolicy, within } from "../delivery/index.ts";
import { SluiceError } from "../errors/index.ts";
import { compileRequest, parseRequest, type Request, resolveRequest } from "../mapping/index.ts";
import type { Clock } from "../ports/clock.ts";
import type { Lookup, Lookups } from "../ports/lookups.ts";
import { gathered, noTracing, type Tracing, withAttributes } from "../ports/telemetry.ts";
import { isObject } from "../record/index.ts";
import { LookupCache } from "./lookup-cache.ts";
import { type Answer, type LookUps, StepRefusal } from "./step.ts";

export type EnrichStep = Extract<ResolvedStep, { type: "enrich" }>;

export interface LookUpsOptions {
  readonly lookups: Lookups;
  readonly retry: RetryPolicy;
  /** For one call of a connector, or each of its requests, in milliseconds; left out: without end. */
  readonly timeoutMs?: number | undefined;
  /** What a step's calls pass; left out: a far side at fault is asked again at a pace of its own. */
  readonly gate?: ((step: string, waiting: (reason: string | null) => void) => Gate) | undefined;
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  /** Ends what is asked and what is waited for. */
  readonly signal: AbortSignal;
  /** Why a step does not move, or null once it does again. */
  readonly waiting: (step: string, reason: string | null) => void;
  /** After each call of a connector: what is tried again counts again. */
  readonly called: (step: string, connector: Lookup, outcome: "ok" | "failed") => void;
}

/** The look-ups of an integration's `enrich` steps, opened for a run. */
export interface OpenLookUps {
  readonly byStep: ReadonlyMap<string, LookUps>;
  close(): Promise<void>;
}

/** Opens what the `enrich` steps ask; rejects, with nothing left open, where a setting is wrong. */
export async function openLookUps(
  { steps }: Pick<ResolvedIntegration, "steps">,
  options: LookUpsOptions,
): Promise<OpenLookUps> {
  const byStep = new Map<string, StepLookUps>();
  const opened: Lookup[] = [];
  const close = async () => {
    for (const lookUps of byStep.values()) lookUps.close();
    await Promise.all(opened.map((lookup) => lookup.close()));
  };
  try {
    for (const step of steps) {
      if (step.type !== "enrich") continue;
      const lookup = await options.lookups.open(step.connector);
      opened.push(lookup);
      const request = await resolveRequest(parseRequest(step.request), (text) => lookup.resolve(text));
      byStep.set(step.id, new StepLookUps(step, compileRequest(request, lookup.escaped), lookup, options));
    }
    return { byStep, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Requests under way in one call, and what they were answered. */
interface Call {
  readonly done: Promise<void>;
  readonly answers: ReadonlyMap<string, Answer>;
}

/** A request that must be asked, and the records that it is asked for. */
interface Open {
  readonly key: string;
  readonly places: number[];
}

/**
 * What one step looks up: answers that are known still are given from the cache, equal requests are asked once, within a
 * batch and across those that are under way. A look-up fails as a write does (`runtime/delivery`): what is the request's
 * own fault fails those who asked it, a passing trouble is tried again, and a far side that is gone is waited for.
 */
class StepLookUps implements LookUps {
  readonly #step: EnrichStep;
  readonly #request: Request;
  readonly #lookup: Lookup;
  readonly #gate: Gate | undefined;
  readonly #tracing: Tracing;
  readonly #options: LookUpsOptions;
  readonly #cache: LookupCache;
  readonly #calls = new Map<string, Call>();
  /** Of the calls that wait. */
  readonly #reasons = new Map<object, string>();

  constructor(step: EnrichStep, request: Request, lookup: Lookup, options: LookUpsOptions) {
    this.#step = step;
    this.#request = request;
    this.#lookup = lookup;
    this.#options = options;
    this.#cache = new LookupCache(step.cache);
    this.#tracing = withAttributes(options.tracing ?? noTracing, { "sluice.step": step.id });
    this.#gate = options.gate?.(step.id, (reason) => this.#wait(this, reason));
  }

  close(): void {
    this.#gate?.close();
  }

  ask(
    records: readonly JsonObject[],
    correlation?: (index: number) => Correlation | undefined,
  ): readonly Answer[] | Promise<readonly Answer[]> {
    const now = this.#options.clock.now();
    const answers = new Array<Answer>(records.length);
    let open: Map<string, Open> | undefined;
    for (let place = 0; place < records.length; place++) {
      const key = this.#request.key(records[place] as JsonObject);
      const known = this.#cache.get(key, now);
      if (known !== undefined) answers[place] = known;
      else {
        open ??= new Map();
        const same = open.get(key);
        if (same === undefined) open.set(key, { key, places: [place] });
        else same.places.push(place);
      }
    }
    return open === undefined ? answers : this.#askOpen(records, answers, [...open.values()], correlation);
  }

  async #askOpen(
    records: readonly JsonObject[],
    answers: Answer[],
    open: readonly Open[],
    correlation: ((index: number) => Correlation | undefined) | undefined,
  ): Promise<readonly Answer[]> {
    const fresh = open.filter(({ key }) => !this.#calls.has(key));
    if (fresh.length > 0) {
      this.#start(
        fresh.map(({ key, places }) => {
          const [place] = places as [number];
          const value = this.#request.render(records[place] as JsonObject);
          return { id: key, value, text: key, correlation: correlation?.(place) };
        }),
      );
    }
    const asked = open.map(({ key }) => this.#calls.get(key) as Call);
    await Promise.all(new Set(asked).values().map(({ done }) => done));
    for (const [i, { key, places }] of open.entries()) {
      const answer = (asked[i] as Call).answers.get(key) as Answer;
      for (const place of places) answers[place] = answer;
    }
    return answers;
  }

  #start(requests: readonly OutRecord[]): void {
    const answers = new Map<string, Answer>();
    const call: Call = { answers, done: this.#ask(requests, answers) };
    for (const { id } of requests) this.#calls.set(id, call);
  }

  async #ask(requests: readonly OutRecord[], answers: Map<string, Answer>): Promise<void> {
    const { retry, clock, signal } = this.#options;
    const call = {};
    try {
      const { undelivered } = await deliver(requests, {
        tracing: this.#tracing,
        spanName: "look up",
        origin: gathered(requests.map(({ correlation }) => correlation?.traceparent)),
        destination: { write: (batch) => this.#write(batch, answers) },
        connector: `connector ${this.#step.connector}`,
        retry,
        clock,
        signal,
        gate: this.#gate,
        waiting: (reason) => this.#wait(call, reason),
      });
      for (const { index, code, message, attempts } of undelivered) {
        const refusal = new StepRefusal(`look-up in ${this.#step.connector}: ${message}`, code, null, attempts);
        answers.set((requests[index] as OutRecord).id, code === "NOT_FOUND" ? null : refusal);
      }
      const now = clock.now();
      for (const [id, answer] of answers) if (!(answer instanceof StepRefusal)) this.#cache.set(id, answer, now);
    } finally {
      for (const { id } of requests) this.#calls.delete(id);
    }
  }

  /** One call of the connector. */
  async #write({ records, correlation, signal }: WriteBatch, answers: Map<string, Answer>): Promise<WriteResult> {
    let outcome: "ok" | "failed" = "failed";
    try {
      const requests = records.map(({ value }) => value);
      const { answers: given, failed = [], left = [] } = await this.#call(requests, correlation, signal);
      if (given.length !== records.length) {
        const message = `${this.#lookup.connectorType} gave ${given.length} answers to ${records.length} requests`;
        throw new SluiceError("INTERNAL_ERROR", message);
      }
      for (const [index, { id }] of records.entries()) {
        const answer = given[index] ?? null;
        answers.set(id, isEmpty(answer) ? null : answer);
      }
      if (failed.length === 0 && left.length === 0) outcome = "ok";
      return { failed, left };
    } finally {
      this.#options.called(this.#step.id, this.#lookup, outcome);
    }
  }

  #call(requests: readonly Json[], correlation: Correlation | undefined, signal: AbortSignal): Promise<LookupResult> {
    const { timeoutMs, clock } = this.#options;
    const limit = this.#gate?.further;
    const totalMs = this.#lookup.timesRequests ? undefined : timeoutMs;
    return within(totalMs, { clock, signal }, (signal) =>
      this.#lookup.lookup(requests, signal, correlation, limit, timeoutMs),
    );
  }

  /** The step waits as long as one of its calls does. */
  #wait(call: object, reason: string | null): void {
    if (reason === null) this.#reasons.delete(call);
    else this.#reasons.set(call, reason);
    const [first = null] = this.#reasons.values();
    this.#options.waiting(this.#step.id, first);
  }
}

/** An answer without anything in it says that nothing was found. */
function isEmpty(answer: Json): boolean {
  if (answer === "") return true;
  if (Array.isArray(answer)) return answer.length === 0;
  return isObject(answer) && Object.keys(answer).length === 0;
}
