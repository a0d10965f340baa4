import { isStated } from "../runtime/delivery/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Flow, Pipeline, PipelineContext } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import type { Account } from "./account.ts";
import { persist } from "./persist.ts";
import { deathsMax, type Lives, longMs, mayBeFatal, type Suspects } from "./suspects.ts";
import { untilAborted } from "./until-aborted.ts";

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
    const survived = await inTurn(store, clock, signal, () =>
      noted(mark, deathsMax, async () => {
        try {
          await through(one, trial, tried(context));
        } catch (error) {
          signal.throwIfAborted();
          if (!isStated(error)) crash = `the steps crashed: ${messageOf(error)}`;
        }
      }),
    );
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

/** When the last record in turn is done with, by the store of its process. */
const turns = new WeakMap<SuspectStore, Promise<void>>();

/**
 * One record of all batches at a time: a process that runs out of memory takes seconds to die, and another record that is
 * noted meanwhile would be blamed with it. What takes long has its note taken back, and holds nobody up any more.
 */
async function inTurn<T>(store: SuspectStore, clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = turns.get(store) ?? Promise.resolve();
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  turns.set(
    store,
    before.then(() => done),
  );
  let cancel: (() => void) | undefined;
  try {
    await untilAborted(signal, before);
    cancel = clock.after(longMs, finish);
    return await work();
  } finally {
    cancel?.();
    finish();
  }
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
