import type { Flow, Pipeline, PipelineContext } from "../runtime/pipeline/index.ts";
import type { BatchHeader, ReplayHeader } from "../runtime/ports/log.ts";
import { isOf } from "../runtime/replay/index.ts";
import type { Account } from "./account.ts";

export interface ReplayOptions {
  readonly account: Account;
  readonly context: PipelineContext;
  readonly pipeline: Pipeline;
}

/** Takes replayed records in where they enter, and lets on what is missing alone. */
export function processReplay(
  flow: Flow,
  replay: ReplayHeader,
  { account, context, pipeline }: ReplayOptions,
): void | Promise<void> {
  const { entry, letters } = replay;
  if (entry.at === "head") return pipeline.process(flow, missing(context, replay));
  const entered = { ...flow, children: flow.origins.map((origin) => letters[origin]?.child ?? "") };
  if (!pipeline.has(entry.id)) return gone(entered, replay, account);
  if (entry.at === "destination") return context.deliver(entry.id, entered);
  return pipeline.enter(entry.id, entry.window === true, entered, missing(context, replay));
}

/** Changed since the batch was read: by a run that was given up. */
function gone({ origins, values, children }: Flow, { entry: { at, id } }: ReplayHeader, account: Account): void {
  const place = at === "step" ? { step: id, destination: null } : { step: null, destination: id };
  const message = `the integration has no ${at} ${id} any more`;
  if (at === "step") account.tally.of(id).in += origins.length;
  else account.send(id, origins);
  for (const [index, origin] of origins.entries()) {
    const state = JSON.stringify(values[index]);
    const cause = { ...place, rule: null, code: "NOT_FOUND" as const, message, state, attempts: [] };
    account.fail(origin, children?.[index] ?? "", cause);
  }
}

/** What else these records become is where it belongs already. */
function missing(context: PipelineContext, { entry: { only }, letters }: ReplayHeader): PipelineContext {
  const whole = letters.every(({ child }) => child === undefined);
  if (whole && only === undefined) return context;
  const isMissing = (origin: number, child: string) => origin < 0 || isOf(letters[origin]?.child ?? "", child);
  const concerns = (id: string, origin: number) => origin < 0 || only === undefined || only.includes(id);
  return {
    ...context,
    deliver: (destination, flow) => {
      const kept = select(flow, (origin, child) => concerns(destination, origin) && isMissing(origin, child));
      if (kept.values.length > 0) return context.deliver(destination, kept);
    },
    failed: (failure, drop) => {
      const { step, origin, child } = failure;
      if (concerns(step, origin) && isMissing(origin, child)) context.failed(failure, drop);
      else if (context.counts) context.counts.of(step).filtered++;
    },
  };
}

function select(flow: Flow, keep: (origin: number, child: string) => boolean): Flow {
  const { origins, values, children, part } = flow;
  const places = [...origins.keys()].filter((i) => keep(origins[i] as number, children?.[i] ?? ""));
  if (places.length === origins.length) return flow;
  const kept = {
    origins: places.map((i) => origins[i] as number),
    values: places.map((i) => values[i] as Flow["values"][number]),
    children: children && places.map((i) => children[i] as string),
  };
  return part === undefined ? kept : { ...kept, part };
}

/** The stream that the records of a batch were read from. */
export function streamOf({ stream, replay }: BatchHeader): string {
  if (replay === undefined || replay.source === null) return stream;
  return (JSON.parse(replay.source) as string[])[1] ?? stream;
}
