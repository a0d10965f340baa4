/** Whether a span is exported, by its trace and by what the span above it says; undefined: it begins the trace. */
export type Sampler = (traceId: string, parent: boolean | undefined) => boolean;

const always: Sampler = () => true;
const never: Sampler = () => false;
const asParent =
  (root: Sampler): Sampler =>
  (traceId, parent) =>
    parent ?? root(traceId, undefined);

/** As `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say. `warn` is told what of them is not understood. */
export function samplerOf(env: NodeJS.ProcessEnv, warn: (problem: string) => void): Sampler {
  const { OTEL_TRACES_SAMPLER: name = "" } = env;
  switch (name) {
    case "":
    case "parentbased_always_on":
      return asParent(always);
    case "parentbased_always_off":
      return asParent(never);
    case "parentbased_traceidratio":
      return asParent(byRatio(env, warn));
    case "always_on":
      return always;
    case "always_off":
      return never;
    case "traceidratio":
      return byRatio(env, warn);
    default:
      warn(`OTEL_TRACES_SAMPLER is "${name}", which is no sampler of the standard: every trace is exported`);
      return asParent(always);
  }
}

function byRatio({ OTEL_TRACES_SAMPLER_ARG: text = "" }: NodeJS.ProcessEnv, warn: (problem: string) => void): Sampler {
  const ratio = text.trim() === "" ? 1 : Number(text);
  if (!(ratio >= 0 && ratio <= 1)) {
    warn(`OTEL_TRACES_SAMPLER_ARG is "${text}", which is no ratio from 0 to 1: every trace is exported`);
    return always;
  }
  // As SDKs of OpenTelemetry do it: the same of each service that sees the trace.
  const bound = ratio === 1 ? 2 ** 32 : Math.floor(ratio * 0xffffffff);
  return (traceId) => folded(traceId) < bound;
}

function folded(traceId: string): number {
  let sum = 0;
  for (let at = 0; at < 32; at += 8) sum ^= Number.parseInt(traceId.slice(at, at + 8), 16);
  return sum >>> 0;
}
