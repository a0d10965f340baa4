import { cluster } from "./cluster.ts";
import { crashPoints } from "./crash-points.ts";
import { disk } from "./disk.ts";
import { everything } from "./everything.ts";
import { http } from "./http.ts";
import { kills } from "./kills.ts";
import { lostData } from "./lost-data.ts";
import { network } from "./network.ts";
import { nodes } from "./nodes.ts";
import type { Scenario } from "./scenario.ts";

/** By the name of the file; `FAMILY.test.ts` beside it runs them in their short form. */
export const families: { readonly [family: string]: readonly Scenario[] } = {
  kills,
  network,
  http,
  nodes,
  cluster,
  "lost-data": lostData,
  disk,
  "crash-points": crashPoints,
  everything,
};

/** The whole suite, in the order of its table. */
export const scenarios: readonly Scenario[] = Object.values(families).flat();

/** The one of a name, those of a family, or all. */
export function asScenarios(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return scenarios;
  const one = scenarios.filter(({ name }) => name === only);
  return one.length > 0 ? one : (families[only] ?? []);
}
