import { isStated } from "../runtime/delivery/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Flow, Pipeline, PipelineContext } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { type LogMessage, StaleOwnerError } from "../runtime/ports/log.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import type { Account } from "./account.ts";
import { persist } from "./persist.ts";
import type { RunParts } from "./run-options.ts";

/** Messages that crashed their actor. Outlives it. */
export class Suspects {
  readonly #sequences = new Set<number>();

  /** What says itself what it is, is no crash. */
  add({ sequence }: LogMessage, error: unknown): void {
    if (!isStated(error) && !(error instanceof StaleOwnerError)) this.#sequences.add(sequence);
  }

  has({ sequence }: LogMessage): boolean {
    return this.#sequences.has(sequence);
  }
}

/**
 * How often a consumer that is made anew with each life, so that nothing counts its deliveries, has begun at one place
 * and not come past it.
 */
export class Lives {
  readonly #passed: () => Promise<void>;
  #passing = false;
  /** What stands at this place may be why. */
  suspicious: boolean;

  private constructor(before: number, passed: () => Promise<void>) {
    this.suspicious = before >= deliveriesMax;
    this.#passed = passed;
  }

  /** `place`: of the last that is settled. `committed` resolves when all that is settled then is committed. */
  static async begin(
    integrationId: string,
    place: string,
    options: {
      readonly store: SuspectStore;
      readonly committed: () => Promise<void>;
      readonly clock: Clock;
      readonly signal: AbortSignal;
    },
  ): Promise<Lives> {
    const { store, committed, clock, signal } = options;
    const key = { integrationId, marks: [`from ${place}`] };
    const [before] = await persist(clock, signal, () => store.take(key));
    return new Lives(before as number, async () => {
      await committed();
      await store.letGo(key);
    });
  }

  /** A batch has been settled. */
  settled(): void {
    if (this.#passing) return;
    this.#passing = true;
    this.#passed().then(
      () => {
        this.suspicious = false;
      },
      () => {
        this.#passing = false;
      },
    );
  }
}

/** Of a consumer of a run that is made anew with each life. */
export function beginLives(
  { options, ledger, clock }: RunParts,
  consumer: string,
  signal: AbortSignal,
): Promise<Lives> {
  const { run, store } = options;
  const floor = ledger.consumer(consumer).settled.bounds.at(-1) ?? 0;
  return Lives.begin(run.integrationId, `${consumer} ${floor}`, {
    store: store.suspects,
    committed: () => ledger.flushed(),
    clock,
    signal,
  });
}

/** What care takes. */
export interface Care {
  readonly suspects: Suspects;
  /** Where deliveries are not counted. */
  readonly lives?: Lives | undefined;
  readonly store: SuspectStore;
  /** The steps anew: what is tried leaves no trace in those that count. */
  readonly trial: () => Pipeline;
}

export interface CarefulOptions extends Care {
  readonly integrationId: string;
  readonly message: LogMessage;
  readonly account: Account;
  readonly context: PipelineContext;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly through: (flow: Flow, pipeline: Pipeline, context: PipelineContext) => void | Promise<void>;
}

/** A record that was in hand, alone, at so many deaths of a process is what it died of. */
export const deathsMax = 2;
/** What ends a process does so soon. What takes longer waits for something, and others may end the process meanwhile. */
export const longMs = 5_000;

/** A batch that was in hand so often, and is not settled, may be why. Once or twice happens to any. */
export const deliveriesMax = 2;

/** Whether a process may have died of it. */
export function mayBeFatal({ deliveries }: Pick<LogMessage, "deliveries">, lives: Lives | undefined): boolean {
  return deliveries > deliveriesMax || lives?.suspicious === true;
}

export function isSuspect(message: LogMessage, { suspects, lives }: Care): boolean {
  return suspects.has(message) || mayBeFatal(message, lives);
}

/**
 * Takes a batch through the steps that was in hand before. That it is, is noted in the store: so one that ended its
 * process is known again. Its records, and those of one that crashed its actor, are tried one by one, each noted; the one
 * that crashes the steps, or ended the process, becomes a dead letter, and the others go on (invariant 6).
 */
export async function carefully(flow: Flow, options: CarefulOptions): Promise<void> {
  const { integrationId, message, suspects, account, context, pipeline, store, clock, through } = options;
  const { signal } = context;

  /** False where it was in hand at too many deaths. */
  async function noted(mark: string, deaths: number, work: () => void | Promise<void>): Promise<boolean> {
    const key = { integrationId, marks: [mark] };
    const letGo = () => persist(clock, signal, () => store.letGo(key)).catch(() => {});
    const [before] = await persist(clock, signal, () => store.take(key));
    if ((before as number) >= deaths) return false;
    const cancel = clock.after(longMs, letGo);
    try {
      await work();
    } finally {
      cancel();
      await letGo();
    }
    return true;
  }

  /** Why it is poison, or undefined. */
  async function poison(index: number, trial: Pipeline): Promise<string | undefined> {
    const origin = flow.origins[index] as number;
    const one = { origins: [origin], values: [flow.values[index] as Flow["values"][number]] };
    let crash: string | undefined;
    const mark = context.recordId(origin, "");
    const survived = await noted(mark, deathsMax, async () => {
      try {
        await through(one, trial, tried(context));
      } catch (error) {
        signal.throwIfAborted();
        if (!isStated(error)) crash = `the steps crashed: ${messageOf(error)}`;
      }
    });
    if (survived) return crash;
    await persist(clock, signal, () => store.letGo({ integrationId, marks: [mark] }));
    return "the process died each time that this record went through the steps";
  }

  const whole = `${context.recordId(flow.origins[0] as number, "")}+${flow.origins.length}`;
  if (!suspects.has(message) && (await noted(whole, 1, () => through(flow, pipeline, context)))) return;
  const trial = options.trial();
  const sound: number[] = [];
  for (const index of flow.origins.keys()) {
    const reason = await poison(index, trial);
    if (reason === undefined) sound.push(index);
    else {
      const cause = { step: null, destination: null, rule: null, state: null, attempts: [] };
      account.fail(flow.origins[index] as number, "", { ...cause, code: "INTERNAL_ERROR", message: reason });
    }
  }
  await persist(clock, signal, () => store.letGo({ integrationId, marks: [whole] }));
  const origins = sound.map((index) => flow.origins[index] as number);
  const values = sound.map((index) => flow.values[index] as Flow["values"][number]);
  return through({ ...flow, origins, values }, pipeline, context);
}

/** Nobody hears of what comes of a trial; but texts are made of it, as they would be. */
function tried({ counts: _, ...context }: PipelineContext): PipelineContext {
  return {
    ...context,
    absorbed: () => {},
    failed: () => {},
    deliver: (_destination, { values }) => {
      for (const value of values) JSON.stringify(value);
    },
  };
}
