import type { ErrorCode, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import type { Attempt } from "../delivery/index.ts";
import { type FieldError, messageOf, SluiceError } from "../errors/index.ts";
import { MappingFailure } from "../mapping/index.ts";
import { noStepCounts, type StepCounts } from "../ports/ledger.ts";
import { Credit } from "../stream/index.ts";
import { Aggregate, type ClosedWindow, plainResult, type StoredGroup } from "./aggregate/index.ts";
import { attempt } from "./attempt.ts";
import { compileStep } from "./compile-step.ts";
import { cut, type Flow, sliceRecords, withPart } from "./flow.ts";
import { compileMap } from "./map.ts";
import { RateLimit } from "./rate-limit.ts";
import { type Step, type StepContext, type StepOutput, StepRefusal, type StepServices } from "./step.ts";
import { countTo, type StepTally } from "./step-tally.ts";

/** A record that a step refused. */
export interface StepFailure {
  readonly origin: number;
  readonly child: string;
  readonly step: string;
  /** Index of the mapping rule, or null. */
  readonly rule: number | null;
  readonly code: ErrorCode;
  readonly message: string;
  /** Of a look-up that was tried. */
  readonly attempts: readonly Attempt[];
  /** As in StepRefusal. */
  readonly errors: readonly FieldError[];
  /** The record as it entered the step. */
  readonly state: JsonObject;
}

/** A step says `on_error: stop`: the run fails and the record stays in the log. */
export class StopError extends SluiceError {
  readonly failure: StepFailure;

  constructor(failure: StepFailure) {
    super(failure.code, `step ${failure.step}: ${failure.message}`);
    this.failure = failure;
  }
}

/** What a batch passes through the steps with. */
export interface PipelineContext extends StepContext {
  /** Takes what reaches a destination; a promise asks for patience before more is made. */
  deliver(destination: string, flow: Flow): void | Promise<void>;
  /** `drop`: the step says `on_error: drop`. */
  failed(failure: StepFailure, drop: boolean): void;
  /** What the steps count into; undefined: nobody asks. */
  readonly counts?: StepTally | undefined;
  /** Sees what each step took and gave. */
  observe?(step: string, input: Flow, output: StepOutput): void;
}

interface Windows {
  readonly node: Node;
  readonly aggregate: Aggregate;
}

interface Target {
  /** Undefined: a destination. */
  readonly node: Node | undefined;
  readonly id: string;
  /** Place among the target's needs: what comes over several branches is told apart by it. */
  readonly via: number;
}

interface Node {
  readonly step: ResolvedStep;
  readonly run: Step;
  readonly targets: Target[];
  /** Batches at once. */
  readonly turns: Credit;
  readonly rate: RateLimit | undefined;
  /** One half of an aggregate: what it gives the other is counted as made, once. */
  readonly half?: "windows" | "results";
}

const turn = { records: 1, bytes: 0 };

/**
 * An integration's steps, compiled. Records are pushed through: what a step gives goes on to all that follow before the
 * step makes more, so that a record that becomes ten thousand does not become them all at once.
 */
export class Pipeline {
  readonly #entry: Target[] = [];
  readonly #nodes = new Map<string, { readonly entry: Node; readonly exit: Node }>();
  readonly #destinations: ReadonlySet<string>;
  /** In an order in which each comes after all that feed it. */
  readonly #windows: Windows[] = [];

  constructor(integration: Pick<ResolvedIntegration, "steps" | "destinations">, services: StepServices) {
    const entries = new Map<string, Node>();
    const exits = new Map([["source", this.#entry]]);
    for (const step of integration.steps) {
      const { entry, exit } = this.#compile(step, services);
      this.#nodes.set(step.id, { entry, exit });
      entries.set(step.id, entry);
      exits.set(step.id, exit.targets);
    }
    this.#destinations = new Set(integration.destinations.map(({ id }) => id));
    for (const { id, needs } of [...integration.steps, ...integration.destinations]) {
      for (const [via, need] of needs.entries()) exits.get(need)?.push({ node: entries.get(id), id, via });
    }
  }

  /** Resolves when all that the batch becomes was taken. Without a promise where nothing had to be waited for. */
  process(source: Flow, context: PipelineContext): void | Promise<void> {
    return toAll(this.#entry, source, source.part, context);
  }

  /** Whether there is a step or destination of this id. */
  has(id: string): boolean {
    return this.#nodes.has(id) || this.#destinations.has(id);
  }

  /** As `process`, from a step on, which must be there; `behind` its windows: what they gave. */
  enter(step: string, behind: boolean, flow: Flow, context: PipelineContext): void | Promise<void> {
    const { entry, exit } = this.#nodes.get(step) as { entry: Node; exit: Node };
    if (behind && exit.half) countsOf(exit, context).expanded += flow.values.length;
    return through(behind ? exit : entry, flow, context);
  }

  /** Whether batches must pass one after another, and be settled in that order. */
  get ordered(): boolean {
    return this.#windows.length > 0;
  }

  /** Closes the windows that are due at `context.now`, or all of them. */
  async close(all: boolean, context: PipelineContext): Promise<void> {
    for (const { node, aggregate } of this.#windows) {
      const closed = all ? aggregate.flush(context.now) : aggregate.due(context.now);
      countsOf(node, context).expanded += closed.length;
      // By the step: windows that these close further on are not taken for what is closed there.
      const flow = { ...windowFlow(closed), part: `${node.step.id}!` };
      for (const piece of cut(flow, sliceRecords, node.step.id)) await onwards(node, nothing, piece, context);
    }
  }

  /** When the next window is due, in ms. */
  get nextDue(): number | undefined {
    const due = this.#windows.flatMap(({ aggregate }) => aggregate.nextDue ?? []);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Goes on with the windows that were open; gives back those of steps that are gone or changed. */
  restore(groups: readonly StoredGroup[]): readonly StoredGroup[] {
    const mine = this.#windows.flatMap(({ node, aggregate }) =>
      aggregate.restore(groups.filter(({ step }) => step === node.step.id)),
    );
    const steps = new Set(this.#windows.map(({ node }) => node.step.id));
    return [...mine, ...groups.filter(({ step }) => !steps.has(step))];
  }

  /** Groups whose windows changed since the last call: stored with what is settled. */
  changes(): readonly StoredGroup[] {
    return this.#windows.flatMap(({ aggregate }) => aggregate.changes());
  }

  /** A step as its nodes: what an aggregate closes is reshaped, and let pass, by a node of its own. */
  #compile(step: ResolvedStep, services: StepServices): { readonly entry: Node; readonly exit: Node } {
    const rate = step.rateLimit === null ? undefined : new RateLimit(step.rateLimit, services.clock);
    const turns = () => new Credit({ records: step.concurrency, bytes: Number.MAX_SAFE_INTEGER });
    if (step.type !== "aggregate") {
      const node = { step, run: compileStep(step, services), targets: [], turns: turns(), rate };
      return { entry: node, exit: node };
    }
    const aggregate = new Aggregate(step);
    const run = step.emit ? compileMap(step.emit, services) : plain;
    const exit: Node = { step, run, targets: [], turns: turns(), rate, half: "results" };
    const entry: Node = {
      step,
      run: (input, fail, { recordId, now, absorbed }, counts) => {
        const { origins, values, children, part } = input;
        // A record that comes over two branches may open a window with each.
        const via = part === undefined ? "" : `/${part}`;
        const id = (index: number) => recordId(origins[index] as number, children?.[index] ?? "") + via;
        const refused = new Set<number>();
        const refuse = (index: number, error: unknown) => {
          refused.add(index);
          fail(index, error);
        };
        const closed = windowFlow(aggregate.add(values, id, now, refuse));
        counts.absorbed += values.length - refused.size;
        counts.expanded += closed.values.length;
        absorbed(refused.size === 0 ? origins : origins.filter((_, index) => !refused.has(index)));
        return closed.values.length <= sliceRecords ? closed : { slices: cut(closed, sliceRecords, "") };
      },
      targets: [{ node: exit, id: step.id, via: 0 }],
      turns: turns(),
      rate: undefined,
      half: "windows",
    };
    this.#windows.push({ node: entry, aggregate });
    return { entry, exit };
  }
}

const nothing: Flow = { origins: [], values: [] };

/** Results of windows descend from no single record. */
function windowFlow(closed: readonly ClosedWindow[]): Flow {
  return {
    origins: closed.map(() => -1),
    values: closed.map(({ value }) => value),
    children: closed.map(({ id }) => id),
  };
}

/** What windows give without `emit`. */
const plain: Step = (input) => ({ ...input, values: input.values.map(plainResult) });

/** To all that follow, branches side by side; to those of a route what it sends there. */
function toAll(
  targets: readonly Target[],
  output: StepOutput,
  part: string | undefined,
  context: PipelineContext,
): void | Promise<void> {
  let waits: Promise<void>[] | undefined;
  try {
    for (const { node, id, via } of targets) {
      const given = output instanceof Map ? output.get(id) : (output as Flow);
      if (given === undefined || given.values.length === 0) continue;
      const flow = withPart(given, given.part ?? part, `<${id}`, via);
      const wait = node === undefined ? context.deliver(id, flow) : through(node, flow, context);
      if (wait) (waits ??= []).push(wait);
    }
  } catch (error) {
    // Of how the branches under way end, nobody hears any more.
    for (const wait of waits ?? []) wait.catch(() => {});
    throw error;
  }
  if (waits === undefined) return;
  return waits.length === 1 ? waits[0] : Promise.all(waits).then(() => {});
}

function through(node: Node, input: Flow, context: PipelineContext): void | Promise<void> {
  if (node.turns.tryTake(turn)) return inTurn(node, input, context);
  return node.turns.take(turn, context.signal).then(() => inTurn(node, input, context));
}

function inTurn(node: Node, input: Flow, context: PipelineContext): void | Promise<void> {
  const { step, run, rate, turns, half } = node;
  const counts = countsOf(node, context);
  if (half !== "results") counts.in += input.values.length;
  let output: ReturnType<Step>;
  try {
    const fail = failing(step, input, context);
    output = repeatable(step) ? attempt(run, input, { fail, context, counts }) : run(input, fail, context, counts);
  } catch (error) {
    turns.give(turn);
    throw error;
  }
  if (output instanceof Promise || "slices" in output || rate !== undefined)
    return slowly(node, input, output, context);
  // Steps without scripts, look-ups or limits cost no turn of the event loop.
  turns.give(turn);
  return onwards(node, input, output, context);
}

/** Holds the turn until all that the step makes is on its way. */
async function slowly(node: Node, input: Flow, output: ReturnType<Step>, context: PipelineContext): Promise<void> {
  const { step, rate, turns } = node;
  let wait: Promise<void> | undefined;
  try {
    const given = await output;
    if (!("slices" in given) && rate === undefined) {
      // Called before the turn is given: the next batch does not overtake this one.
      wait = onwards(node, input, given, context) ?? undefined;
    } else {
      let n = 0;
      for (const slice of "slices" in given ? given.slices : [given]) {
        context.signal.throwIfAborted();
        const named = mapFlows(slice, (flow) => withPart(flow, input.part, step.id, n));
        n++;
        for (const piece of rate?.pieces(named, step.id) ?? [named]) {
          await rate?.take(piece, context.signal);
          await onwards(node, input, piece, context);
        }
      }
    }
  } finally {
    turns.give(turn);
  }
  await wait;
}

function mapFlows(output: StepOutput, change: (flow: Flow) => Flow): StepOutput {
  if (!(output instanceof Map)) return change(output as Flow);
  return new Map(Array.from(output, ([target, flow]) => [target, change(flow)]));
}

function onwards(node: Node, input: Flow, output: StepOutput, context: PipelineContext): void | Promise<void> {
  context.observe?.(node.step.id, input, output);
  if (node.half !== "windows") countOut(countsOf(node, context), output);
  return toAll(node.targets, output, input.part, context);
}

function countsOf({ step }: Node, { counts }: PipelineContext): StepCounts {
  return counts === undefined ? noStepCounts() : counts.of(step.id);
}

function countOut(counts: StepCounts, output: StepOutput): void {
  if (!(output instanceof Map)) {
    counts.out += (output as Flow).values.length;
    return;
  }
  for (const [target, { values }] of output) {
    counts.out += values.length;
    countTo(counts, target, values.length);
  }
}

/** Keeps nothing of a batch, and gives all that it makes of it at once. */
function repeatable({ type }: ResolvedStep): boolean {
  return type !== "aggregate" && type !== "split";
}

function failing({ id, onError }: ResolvedStep, input: Flow, context: PipelineContext) {
  return (index: number, error: unknown) => {
    context.signal.throwIfAborted();
    const failure = stepFailure(id, input, index, error);
    if (onError === "stop") throw new StopError(failure);
    context.failed(failure, onError === "drop");
  };
}

/** What a step did not mean to throw is the failure of its record all the same. */
function stepFailure(step: string, input: Flow, index: number, thrown: unknown): StepFailure {
  const meant = thrown instanceof MappingFailure || thrown instanceof StepRefusal;
  const error = meant ? thrown : new StepRefusal(`the step crashed: ${messageOf(thrown)}`, "INTERNAL_ERROR");
  const { code, message, rule } = error;
  return {
    origin: input.origins[index] as number,
    child: input.children?.[index] ?? "",
    step,
    rule,
    code,
    message,
    attempts: error instanceof StepRefusal ? error.attempts : [],
    errors: error instanceof StepRefusal ? error.errors : [],
    state: input.values[index] as JsonObject,
  };
}
