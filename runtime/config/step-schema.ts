import type { JsonSchema } from "../../connectors/sdk/index.ts";
import {
  closed,
  duration,
  fieldPath,
  id,
  integer,
  list,
  name,
  number,
  oneOfWords,
  type Part,
  predicate,
  text,
} from "./schema-parts.ts";

export const ruleSchema = closed("One rule of a mapping.", {
  source: { ...text("JSONPath (RFC 9535)."), examples: ["$.name", "$.items[*].sku", "$"] },
  destination: text("Field path to write to, or * for the members of an object."),
  template: {
    type: "string",
    description: "Text with {{ JSONPath | filter }} holes.",
    examples: ["Dear {{ $.name | trim | default('customer') }}"],
  },
  value: { description: "A constant." },
  transform: text("JavaScript expression over value, record and meta."),
  cast: oneOfWords("Type to convert to.", ["string", "number", "integer", "boolean", "timestamp", "date", "json"]),
  default: { description: "Used where the source gives nothing." },
  when: predicate("The rule is skipped where it does not hold."),
  on_error: oneOfWords("What a failure does; left out: fail.", ["fail", "default", "skip"]),
  drop: text("Field path to remove; a rule of its own, with `when` at most."),
  each: {
    type: "array",
    items: { type: "object" },
    description: "Rules for every element of the array that source gives.",
  },
});

export const mappingSchema = (description: string): Part => list(`${description} Rules, applied in order.`, ruleSchema);

const measure: Part = {
  type: "object",
  description: "One of sum, min, max, avg, count, first, last, collect: of a field path (count: true).",
  minProperties: 1,
  maxProperties: 1,
  properties: {
    ...Object.fromEntries(["sum", "min", "max", "avg", "first", "last", "collect"].map((f) => [f, { type: "string" }])),
    count: { const: true },
  },
  additionalProperties: false,
};

interface StepType {
  readonly description: string;
  readonly fields: Record<string, JsonSchema>;
  readonly required: string[];
}

const types: Record<string, StepType> = {
  filter: {
    description: "Keeps the records for which a predicate holds.",
    fields: { where: predicate("What is kept.") },
    required: ["where"],
  },
  map: {
    description: "Makes a new record.",
    fields: { mapping: mappingSchema("Default: mapping_spec.") },
    required: [],
  },
  validate: {
    description: "Checks records against a JSON Schema.",
    fields: { schema: { type: ["object", "boolean"], description: "JSON Schema 2020-12." } },
    required: ["schema"],
  },
  enrich: {
    description: "Looks something up and puts the answer into the record.",
    fields: {
      connector: name("Name of the connector."),
      request: { type: "object", description: "Templates, by the schema of the connector's look-up." },
      merge_at: fieldPath("Where the answer goes."),
      cache: {
        ...closed("Answers kept, by request.", {
          ttl: duration("How long; 0s: not at all.", "5m"),
          max_entries: integer("How many; the least used of late go first, as they do beyond 32 MiB.", 1, 10_000),
        }),
        default: {},
      },
      // In YAML the word null is the value.
      on_missing: { enum: ["fail", "skip", "null", null], description: "What an empty answer does.", default: "fail" },
    },
    required: ["connector", "request", "merge_at"],
  },
  split: {
    description: "Makes a record of every element of an array.",
    fields: {
      path: fieldPath("The array."),
      as: fieldPath("Field for the element; left out: the element is the record."),
      keep_parent: { type: "boolean", default: false, description: "Keep the parent's other fields." },
    },
    required: ["path"],
  },
  aggregate: {
    description: "Sums records up by key and window.",
    fields: {
      key: { ...list("Fields that make a group; left out: all records are one.", fieldPath("A field.")), default: [] },
      window: {
        ...closed("Whichever comes first; with neither, the end of the run.", {
          count: integer("Records of a group.", 1),
          duration: duration("Processing time."),
        }),
        default: {},
      },
      measures: {
        type: "object",
        description: "By the name of the field they give.",
        additionalProperties: measure,
        default: {},
      },
      emit: mappingSchema("Reshapes what is given out."),
    },
    required: [],
  },
  transform: {
    description: "Sandboxed JavaScript.",
    fields: { script: text("A function: (record, meta) => record | record[] | null.") },
    required: ["script"],
  },
  route: {
    description: "Sends each record to the first route that matches.",
    fields: {
      routes: list(
        "Tried in order.",
        closed("A route.", { to: text("Id of a step or destination."), where: predicate("What takes it.") }, [
          "to",
          "where",
        ]),
        1,
      ),
      otherwise: text("Id of a step or destination for what no route takes; left out: filtered."),
    },
    required: ["routes"],
  },
};

const stepId = id("Unique among steps and destinations; `source` is taken.");
const common = {
  needs: list("What feeds this step; left out: the step before.", text("Id of a step, or `source`."), 1),
  rate_limit: number("Records a second that leave the step; left out: no limit.", 0.001, 1_000_000_000),
  concurrency: integer("Batches at once.", 1, 1),
  on_error: oneOfWords("What a record's failure does.", ["dead_letter", "drop", "stop"], "dead_letter"),
};

/** A step of any type contract section 6 names; which of them run in this version is checked apart. */
export const stepSchema: Part = {
  type: "object",
  description: "A step of the pipeline.",
  discriminator: { propertyName: "type" },
  required: ["id"],
  oneOf: Object.entries(types).map(([type, { description, fields, required }]) =>
    closed(description, { id: stepId, type: { const: type }, ...fields, ...common }, ["id", "type", ...required]),
  ),
};
