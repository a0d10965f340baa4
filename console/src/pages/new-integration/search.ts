import { oneOf, type Search } from "../../lib/search.ts";

export const steps = ["source", "destination", "mapping", "schedule", "review"] as const;
export type Step = (typeof steps)[number];

/** What the URL holds: the step that is shown. What is put in is kept with the tab. */
export const newIntegrationSearch = (search: Search): { step?: Step | undefined } => ({
  step: oneOf(search.step, steps),
});
