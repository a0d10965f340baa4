import { deliverySchema } from "./delivery-schema.ts";
import { hookAuthSchema } from "./hook-auth.ts";
import { closed, fieldPath, id, list, name, oneOfWords, type Part, text } from "./schema-parts.ts";
import { mappingSchema, stepSchema } from "./step-schema.ts";

export const sourceSchema = closed(
  "What is read.",
  {
    connector: name("Name of the connector."),
    stream: text("The stream: a table, a file's name, a topic."),
    mode: oneOfWords("Everything each time, or what is new since the last run.", ["full", "incremental"], "full"),
    cursor_field: fieldPath(
      "Field that grows with every change; required by mode incremental, save where the connector has a cursor of its own.",
    ),
  },
  ["connector", "stream"],
);

export const destinationSchema = closed(
  "Where records go.",
  {
    id: id("Names the destination in counts, logs and dead letters; left out: the connector's name."),
    connector: name("Name of the connector."),
    stream: text("The stream: a table, a file's name, a topic."),
    mode: oneOfWords("How records are written.", ["append", "upsert", "replace"], "append"),
    key: list("Fields that identify a record; required by mode upsert.", fieldPath("A field of the key."), 1),
    needs: list(
      "Steps that feed this destination, or `source`; left out: the last step.",
      text("Id of a step, or `source`."),
      1,
    ),
  },
  ["connector", "stream"],
);

export const triggerSchema: Part = {
  type: "object",
  default: { type: "manual" },
  description: "When a run starts. Default: manual.",
  discriminator: { propertyName: "type" },
  oneOf: [
    closed("Only when asked to.", { type: { const: "manual" } }, ["type"]),
    closed(
      "At the times of a cron expression.",
      {
        type: { const: "schedule" },
        cron: text(
          "Five fields: minute, hour, day, month, weekday; six begin with the second. Or @hourly and the like.",
        ),
        timezone: { ...text("IANA name of the time zone the expression means."), default: "UTC" },
        misfire: oneOfWords(
          "Times that passed while no node was up: run once for the last of them, or skip them.",
          ["once", "skip"],
          "once",
        ),
        overlap: oneOfWords(
          "The run before is still under way: skip this one; queue it, to be opened when that one has ended; or run it too: " +
            "it is opened at once, by the version of now, and carried out as soon as that one has ended. The runs of an " +
            "integration share its cursor and its log, and go one after another.",
          ["skip", "queue", "run"],
          "skip",
        ),
      },
      ["type", "cron"],
    ),
    closed(
      "Endlessly, as webhooks arrive at POST /v1/hooks/NAME; a run is opened for each hour.",
      {
        type: { const: "webhook" },
        auth: hookAuthSchema,
      },
      ["type"],
    ),
    closed("Endlessly, as events come; a run is opened for each hour.", { type: { const: "event" } }, ["type"]),
  ],
};

const metadata = closed("Documents the integration.", {
  description: { type: "string", description: "What it is for." },
  owner: { type: "string", description: "Who answers for it." },
  criticality: { type: "string", description: "How much depends on it." },
  rto: { type: "string", description: "Recovery time objective." },
  rpo: { type: "string", description: "Recovery point objective." },
  contacts: { type: "array", items: { type: "string" }, description: "Whom to ask." },
});

/** Fields of an integration besides its name: what a stored `spec` holds, and `enabled`. */
export const integrationFields: Record<string, Part> = {
  source: sourceSchema,
  sources: list("Several sources, merged.", sourceSchema, 1),
  destination: destinationSchema,
  destinations: list("Several destinations.", destinationSchema, 1),
  trigger: triggerSchema,
  mapping_spec: mappingSchema("The mapping of map steps that have none of their own."),
  pipeline_spec: closed("Steps between source and destinations.", {
    steps: list("In order; left out: one map step where there is a mapping_spec, else none.", stepSchema),
  }),
  delivery: deliverySchema,
  schema: {
    ...closed("What happens to a record that does not fit the stream's schema.", {
      contract: oneOfWords(
        "Pass and record the drift, dead-letter, leave the field out, or filter the record.",
        ["evolve", "freeze", "discard_value", "discard_record"],
        "evolve",
      ),
    }),
    default: {},
  },
  metadata,
  enabled: { type: "boolean", description: "Whether schedules fire and runs may start.", default: true },
};

export const integrationSchema = closed(
  "An integration: source, pipeline, destinations.",
  { name: name("Unique among integrations."), ...integrationFields },
  ["name"],
);
