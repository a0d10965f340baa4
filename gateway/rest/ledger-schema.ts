import type { Part } from "../../runtime/config/index.ts";

const count: Part = { type: "integer" };
const counts = (properties: Record<string, Part>, more: Part): Part => ({
  type: "object",
  additionalProperties: { type: "object", properties, required: Object.keys(properties), ...more },
});

const steps = {
  in: count,
  expanded: { ...count, description: "Made beyond one for each taken: children of a record, results of windows." },
  out: { ...count, description: "Given to those that follow, counted once; those of a route are counted in `to`." },
  filtered: count,
  absorbed: { ...count, description: "Taken into windows." },
  dropped: { ...count, description: "Refused, by on_error: drop." },
  failed: { ...count, description: "In the dead letters." },
};

const destinations = {
  published: count,
  inherited: { ...count, description: "Left in the logs by earlier runs that were given up." },
  confirmed: count,
  failed: steps.failed,
  pending: { ...count, description: "On their way: in the log, or put off." },
  deferred: { ...count, description: "Of those pending, what is put off until its next try." },
};

const imbalance = {
  between: { type: "string" },
  expected: count,
  counted: count,
  consumer: { type: "string", description: "`steps`: the sequences are of the ingest log, else of the deliver log." },
  sequences: { type: ["array", "null"], items: count },
};

/** A run's ledger, as invariant 8 has it. */
export const ledger: Part = {
  type: ["object", "null"],
  description: "What was read and what became of it; null before the first commit.",
  properties: {
    balanced: { type: "boolean" },
    imbalances: {
      type: "array",
      description: "Where records were lost or counted twice, each place once, with the range in the log's stream.",
      items: {
        type: "object",
        properties: { step: { type: "string" }, destination: { type: "string" }, ...imbalance },
        required: Object.keys(imbalance),
      },
    },
    steps: counts(steps, {
      description: "in + expanded = out + filtered + absorbed + dropped + failed; `source` is what was read.",
    }),
    destinations: counts(destinations, { description: "published + inherited = confirmed + failed + pending" }),
  },
  required: ["balanced", "imbalances", "steps", "destinations"],
};
