import { publish } from "../config/published-schema.ts";
import { closed, duration, fieldPath, integer, list, oneOfWords, type Part, text } from "../config/schema-parts.ts";
import { codes } from "../errors/index.ts";

const map = (description: string, values: Part): Part => ({
  type: "object",
  description,
  additionalProperties: values,
  minProperties: 1,
});

const filter = (description: string): Part => text(`${description} A predicate (RFC 9535) over the record.`);
const schema: Part = { type: ["object", "boolean"], description: "JSON Schema that the source's stream has so far." };
const errorCodes = Object.keys(codes);
const message = text("What the error says.");
const times = integer("How often.", 1, 1);

const records: Part = {
  type: ["array", "object"],
  description: "Records in their order, or a file of them.",
  items: { type: "object", description: "A record." },
  properties: { file: text("NDJSON file, beside this one or absolute. A line that is no JSON is given as it is.") },
  required: ["file"],
  additionalProperties: false,
};

const failure = {
  message,
  retry_after: duration("What the far side asks to wait (Retry-After)."),
  fault: oneOfWords("Whose fault it is; left out: as the code says.", ["record", "transient", "destination"]),
};

const call = (description: string, more: Record<string, Part> = {}): Part =>
  closed(
    description,
    {
      code: { enum: ["OK", ...errorCodes], description: "Error code, or OK for a call that succeeds." },
      ...failure,
      times: { ...times, type: ["integer", "string"], pattern: "^always$", $comment: "a whole number, or always" },
      ...more,
    },
    ["code"],
  );

const faults = closed("What goes wrong. What is written here and does not happen fails the test.", {
  sources: map(
    "By stream (or connector/stream).",
    closed("A source.", {
      reads: list("Reads of a batch, from the first on; later ones succeed.", call("A read."), 1),
    }),
  ),
  destinations: map(
    "By id.",
    closed("A destination.", {
      writes: list(
        "Calls, from the first on; later ones succeed.",
        call("A call.", {
          written: { type: "boolean", default: false, description: "The records were written all the same." },
        }),
        1,
      ),
      records: list(
        "Records that are refused by themselves, while the others of their batch are written.",
        closed(
          "Refused records.",
          {
            where: filter("Which."),
            code: { enum: errorCodes, description: "Error code." },
            message,
            retry_after: failure.retry_after,
            times: { ...times, default: undefined, description: "How often each; left out: always." },
          },
          ["where", "code"],
        ),
        1,
      ),
    }),
  ),
  crashes: list(
    "The node is killed at these points, in this order, and started again a second later.",
    closed(
      "A crash.",
      {
        before: oneOfWords(
          "The batch is added to the log; written to a destination; its settlement stored; the log told so.",
          ["append", "write", "commit", "ack"],
        ),
        nth: integer("Which one since the last start of the node.", 1, 1),
        destination: text("Only of this destination; not for commit."),
      },
      ["before"],
    ),
    1,
  ),
  duplicates: list(
    "Batches that the log delivers again: while they are in hand, and once more after they were settled.",
    closed("A batch.", {
      batch: integer("Which one of the log.", 1, 1),
      destination: text("Of this destination's log, where there are several; left out: of what the source gave."),
    }),
    1,
  ),
});

const output: Part = {
  type: ["array", "object"],
  description: "What a destination holds at the end: these records in this order, or as the fields say.",
  properties: {
    records: list("All of them.", {}),
    order: oneOfWords("Whether the order counts.", ["given", "any"], "given"),
    duplicates: { type: "boolean", default: false, description: "Each record may be there several times." },
    contains: list("Each of these is there; records may have more fields.", {}),
    count: integer("How many there are.", 0),
  },
  minProperties: 1,
  additionalProperties: false,
};

const expected = closed("What must have come of it. What is left out is not looked at.", {
  outputs: map("By destination.", output),
  dead_letters: list(
    "All of them, in any order; fields that are left out are not looked at.",
    closed("A dead letter.", {
      step: text("Id of the step that failed."),
      destination: text("Id of the destination that failed."),
      rule: integer("Index of the mapping rule.", 0),
      code: { enum: errorCodes, description: "Error code." },
      message: text("A part of the message."),
      record: { description: "The record as the source gave it; a text where it is no JSON." },
      state: { description: "The record before the failing step." },
      attempts: integer("Failed tries.", 0),
    }),
  ),
  attempts: map("By destination: calls in all, or how often each record was tried.", {
    type: ["integer", "array"],
    minimum: 0,
    items: closed("Records.", { where: filter("Which."), count: integer("Tries of each.", 0) }, ["where", "count"]),
  }),
  acks: oneOfWords("Batches that the log was told are done: all, each once, or none.", ["all", "none"]),
  counts: closed("The run's counts.", {
    in: integer("Records read.", 0),
    out: integer("Records delivered, added up over destinations.", 0),
    filtered: integer("Records filtered.", 0),
    failed: integer("Records in the dead letters.", 0),
  }),
  status: oneOfWords("The run's status; running where it had not ended by stop_after.", [
    "success",
    "partial",
    "failed",
    "running",
  ]),
  error: closed("The run's error.", {
    code: { enum: errorCodes, description: "Error code." },
    message: text("A part of the message."),
    path: fieldPath("The setting at fault."),
  }),
  waiting: text("A part of what a running run says that it waits for."),
  elapsed: closed("Virtual time from the run's start to its end.", {
    at_least: duration("Least."),
    at_most: duration("Most."),
  }),
});

const answer = {
  ...closed(
    "An answer.",
    {
      request: { description: "The request as it is sent." },
      answer: { description: "What is found; null: nothing." },
      fail: closed(
        "The request fails.",
        {
          code: { enum: errorCodes, description: "Error code." },
          message,
          retry_after: failure.retry_after,
          times,
        },
        ["code"],
      ),
    },
    ["request"],
  ),
};

/** The JSON Schema of test files for editors. */
export function publishedTestSchema(): Part {
  const { $schema, ...rest } = publish(testSchema) as Part;
  return { $schema, $id: "urn:sluice:tests", ...rest };
}

/** A test file: pipeline tests that stand beside the configuration. */
export const testSchema: Part = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "sluice tests",
  ...closed(
    "Tests of a configuration's integrations.",
    {
      config: text("Configuration file, beside this one or absolute; left out: NAME.yaml beside NAME.test.yaml."),
      tests: list(
        "Tests.",
        closed(
          "A test: one run of an integration.",
          {
            name: text("What holds, as a sentence."),
            integration: text("Name of the integration."),
            given: closed("What the sources have.", {
              records,
              streams: map("Instead of records: by stream (or connector/stream), for several sources.", records),
              batch: integer("Records of a batch.", 1, 500),
              schema,
              at: { ...text("When the run starts."), format: "date-time", default: "2026-01-01T00:00:00Z" },
            }),
            lookups: map(
              "Answers to enrich steps, by connector.",
              list("Answers; a request that is not among them fails the test.", answer),
            ),
            faults,
            stop_after: duration("Virtual time after which a run that goes on is left as it is.", "2h"),
            expect: { ...expected, minProperties: 1 },
          },
          ["name", "integration", "given", "expect"],
        ),
        1,
      ),
    },
    ["tests"],
  ),
};
