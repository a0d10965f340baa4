import type { Problem } from "../../api/problem.ts";
import type { Preview } from "../../api/types.ts";
import type { Config, Place } from "./places.ts";
import type { RuleFinding } from "./rules-pane.tsx";
import { ruleError } from "./rules-text.ts";
import type { Sampled } from "./sample.ts";
import { type Shape, shapeOf } from "./shape.ts";

/** What is asked of the server: what is no record stands there as a text, so that each keeps its number. */
export function previewBody(records: readonly Sampled[], config: Config): string {
  const { mapping_spec, pipeline_spec } = config;
  const given = records.map((each) => ("record" in each ? each.record : ""));
  return JSON.stringify({ records: given, spec: { mapping_spec, pipeline_spec } });
}

/** What comes into a step, as far as it is known. */
export function inputOf(preview: Preview | null, records: readonly Sampled[], step: string): Shape {
  const taken = preview?.records.flatMap(
    ({ steps }) => steps.find((each) => each.step === step)?.in.records.map(({ record }) => record) ?? [],
  );
  if (taken !== undefined && taken.length > 0) return shapeOf(taken);
  return shapeOf(records.flatMap((each) => ("record" in each ? each.record : [])));
}

interface Known {
  /** Why the server does not try the rules. */
  readonly problem: Problem | null;
  /** Why the server did not save them. */
  readonly refused: Problem | null;
  /** Of these rules; null: there is none. */
  readonly preview: Preview | null;
}

/** All that is wrong with the rules of a place: as they stand, and with records of the sample. */
export function findingsOf(place: Place, { problem, refused, preview }: Known): RuleFinding[] {
  const wrong = [...(problem?.errors ?? []), ...(refused?.errors ?? [])].map(({ path, message }): RuleFinding => {
    const bare = path.replace(/^spec\.?/, "");
    const found = ruleError(place.path, { path: bare, message });
    // Of another step, which is named then.
    return { ...(found ?? { rule: null, field: "", message: `${bare} ${message}` }), records: null };
  });
  return [...wrong, ...failuresOf(preview, place.step)];
}

/** The same failure of several records is one. */
function failuresOf(preview: Preview | null, step: string): RuleFinding[] {
  const found = new Map<string, RuleFinding & { readonly records: number[] }>();
  for (const [record, { steps }] of (preview?.records ?? []).entries()) {
    for (const { rule, message } of steps.find((each) => each.step === step)?.failures ?? []) {
      const key = `${rule} ${message}`;
      const finding = found.get(key) ?? { rule, field: "", message, records: [] };
      if (!finding.records.includes(record)) finding.records.push(record);
      found.set(key, finding);
    }
  }
  return [...found.values()];
}
