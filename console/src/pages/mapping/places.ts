/*
 * Where mappings stand in an integration.
 */

export type Config = Readonly<Record<string, unknown>>;

/** The mapping of one step. */
export interface Place {
  /** Id of the step. */
  readonly step: string;
  /** Such as `mapping_spec` or `pipeline_spec.steps[2].mapping`; steps may share one. */
  readonly path: string;
  /** Undefined: there is none yet. */
  readonly rules: unknown;
}

interface Step {
  readonly id: string;
  readonly type: string;
  readonly mapping?: unknown;
}

const stepsOf = ({ pipeline_spec: pipeline }: Config): readonly Step[] | undefined =>
  (pipeline as { readonly steps?: readonly Step[] } | undefined)?.steps;

/** Of each map step, in the order of the flow. Without any steps: the mapping that there is or might be. */
export function placesOf(config: Config): Place[] {
  const steps = stepsOf(config);
  const shared = { path: "mapping_spec", rules: config.mapping_spec };
  if (steps === undefined) return [{ step: "map", ...shared }];
  return steps.flatMap(({ id, type, mapping }, index) => {
    if (type !== "map") return [];
    const own = { path: `pipeline_spec.steps[${index}].mapping`, rules: mapping };
    return [{ step: id, ...(mapping === undefined ? shared : own) }];
  });
}

/** The configuration with other rules, by the paths of their places. */
export function withRules(config: Config, changed: Readonly<Record<string, unknown>>): Config {
  const { mapping_spec: shared, ...own } = changed;
  const steps = stepsOf(config)?.map((step, index) => {
    const mapping = own[`pipeline_spec.steps[${index}].mapping`];
    return mapping === undefined ? step : { ...step, mapping };
  });
  return {
    ...config,
    ...(shared !== undefined && { mapping_spec: shared }),
    ...(steps !== undefined && { pipeline_spec: { ...(config.pipeline_spec as object), steps } }),
  };
}

/** Changed rules in a configuration that somebody else changed meanwhile: theirs, with the rules of the same steps. */
export function rebased(theirs: Config, base: Config, changed: Readonly<Record<string, unknown>>): Config {
  const there = placesOf(theirs);
  const moved: Record<string, unknown> = {};
  for (const { step, path } of placesOf(base)) {
    if (changed[path] === undefined) continue;
    const place = there.find((each) => each.step === step);
    // The step is gone: what was meant is the whole of it.
    if (place === undefined) return withRules(base, changed);
    moved[place.path] = changed[path];
  }
  return withRules(theirs, moved);
}
