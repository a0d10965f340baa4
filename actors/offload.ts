import type { Flow, Pipeline, PipelineContext } from "../runtime/pipeline/index.ts";
import { StopError, stepFailureOf } from "../runtime/pipeline/index.ts";
import type { StepsEvent, StepsTask, WorkerSteps } from "../runtime/ports/workers.ts";
import { untilAborted } from "./until-aborted.ts";

/** What a batch passes through the steps with, wherever that is. */
export interface OffloadContext extends PipelineContext {
  /** As `deliver`, of records that are texts already. */
  deliverTexts(
    destination: string,
    origins: readonly number[],
    texts: readonly string[],
    part: string | undefined,
  ): void | Promise<void>;
}

/**
 * A batch is heavy that costs so much CPU time: what it costs to send it to another thread and back is small beside
 * that (docs/decisions/0010).
 */
const defaultHeavy = { batch: 1000, record: 15 };
/** Batches in succession, or as many more than light ones: one that a compiler or a collector slowed down counts little. */
const sure = 8;

/** Takes batches through pure steps: here, or on worker threads while they cost more than the sending. In order either way. */
export class Offload {
  readonly #pipeline: Pipeline;
  readonly #workers: WorkerSteps;
  readonly #heavy: typeof defaultHeavy;
  /** From 0 to twice `sure`. */
  #heaviness = 0;
  #away = false;
  /** Batches that were not given to the destinations yet. */
  #underWay = 0;
  #before: Promise<void> = Promise.resolve();

  /** `heavy`: CPU time in µs, of a batch and of a record in it. */
  constructor(pipeline: Pipeline, workers: WorkerSteps, heavy = defaultHeavy) {
    this.#pipeline = pipeline;
    this.#workers = workers;
    this.#heavy = heavy;
  }

  /** As the pipeline's. `flow` is the records at `task.origins`. */
  process(task: StepsTask, flow: Flow, context: OffloadContext): void | Promise<void> {
    return this.#away || this.#underWay > 0 ? this.#inOrder(task, flow, context) : this.#here(flow, context);
  }

  #here(flow: Flow, context: PipelineContext): void | Promise<void> {
    const before = process.threadCpuUsage();
    const wait = this.#pipeline.process(flow, context);
    const { user, system } = process.threadCpuUsage(before);
    this.#weigh(user + system, flow.values.length);
    return wait;
  }

  async #inOrder(task: StepsTask, flow: Flow, context: OffloadContext): Promise<void> {
    const before = this.#before;
    const given = Promise.withResolvers<void>();
    this.#before = given.promise;
    this.#underWay++;
    try {
      const give = await untilAborted(context.signal, this.#result(task, flow, context));
      await before;
      // Not waited for here: the next batch's turn is when this one is given, not when it is taken.
      return give();
    } finally {
      this.#underWay--;
      given.resolve();
    }
  }

  /** Takes the batch through the steps; what comes of it is given by a call. */
  async #result(task: StepsTask, flow: Flow, context: OffloadContext): Promise<() => void | Promise<void>> {
    // What is listened to runs here, where it can be heard.
    const result = this.#away && context.observe === undefined ? await this.#workers.run(task) : undefined;
    if (result === undefined) {
      context.signal.throwIfAborted();
      return this.#held(flow, context);
    }
    this.#weigh(result.cpuMicros, task.origins.length);
    context.counts?.add(result.steps);
    return () => give(result.events.map((event) => () => happen(event, context)));
  }

  #held(flow: Flow, context: PipelineContext): () => void | Promise<void> {
    const events: Happening[] = [];
    const holding = {
      ...context,
      deliver: (destination: string, output: Flow) => void events.push(() => context.deliver(destination, output)),
      failed: (...failure: Parameters<PipelineContext["failed"]>) => void events.push(() => context.failed(...failure)),
    };
    try {
      this.#here(flow, holding);
    } catch (error) {
      events.push(() => {
        throw error;
      });
    }
    return () => give(events);
  }

  #weigh(micros: number, records: number): void {
    const heavy = micros >= Math.max(this.#heavy.batch, records * this.#heavy.record);
    this.#heaviness = Math.min(2 * sure, Math.max(0, this.#heaviness + (heavy ? 1 : -1)));
    if (this.#heaviness >= sure) this.#away = true;
    else if (this.#heaviness === 0) this.#away = false;
  }
}

type Happening = () => void | Promise<void>;

/** All at once; resolves when all was taken. */
function give(events: readonly Happening[]): void | Promise<void> {
  const waits: Promise<void>[] = [];
  try {
    for (const event of events) {
      const wait = event();
      if (wait) waits.push(wait);
    }
  } catch (error) {
    // As in the pipeline: of how these end, nobody hears any more.
    for (const wait of waits) wait.catch(() => {});
    throw error;
  }
  if (waits.length > 0) return Promise.all(waits).then(() => {});
}

function happen(event: StepsEvent, context: OffloadContext): void | Promise<void> {
  switch (event.type) {
    case "delivered":
      return context.deliverTexts(event.destination, event.origins, event.text.split("\n"), event.part);
    case "failed":
      return context.failed(stepFailureOf(event.failure), event.drop);
    case "stopped":
      throw new StopError(stepFailureOf(event.failure));
  }
}
