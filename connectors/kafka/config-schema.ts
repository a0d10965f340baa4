import { durationPattern, type JsonSchema } from "../sdk/index.ts";
import { compressions } from "./compression.ts";

type Members = { readonly [name: string]: JsonSchema };

const object = (properties: Members, more: object = {}) => ({
  type: "object",
  additionalProperties: false,
  properties,
  ...more,
});
const text = (description: string, more: object = {}) => ({ type: "string", minLength: 1, description, ...more });
const template = (description: string) => text(description, { "x-expression": "template" });
const secret = (description: string) => ({ type: "string", writeOnly: true, description });
const duration = (description: string, initial: string) => ({
  type: "string",
  pattern: durationPattern,
  description,
  default: initial,
});
const topic = "^[a-zA-Z0-9._-]{1,249}$";
const formats = ["json", "text", "base64"];

const write = object(
  {
    key: {
      description:
        "The message's key, a template. Default: the values of the destination's key in mode upsert, else none.",
      "x-expression": "template",
    },
    value: {
      description: "The message's value, JSON whose texts are templates. Default: the record. Null is a tombstone.",
      "x-expression": "template",
    },
    headers: {
      type: "object",
      description: "Headers. One whose template gives nothing is left out.",
      additionalProperties: {
        type: ["string", "number", "boolean"],
        description: "The header's value, a template.",
        "x-expression": "template",
      },
    },
    id_header: text("Name of a header that gets the record's id, by which readers know what comes twice."),
    partition: template("The partition's number, a template. Default: the partitioner says."),
    partitioner: {
      enum: ["murmur2", "crc32", "round_robin"],
      default: "murmur2",
      description:
        "Which partition a key goes to: murmur2 as Java's clients, crc32 as librdkafka, or each batch another one " +
        "(round_robin), as messages without a key do.",
    },
    compression: { enum: compressions, default: "none", description: "How batches are compressed." },
    batch_bytes: {
      type: "integer",
      minimum: 1024,
      maximum: 104_857_600,
      default: 900_000,
      description: "Bytes of a batch before compression, at most; below the topic's max.message.bytes.",
    },
  },
  { description: "How records are written." },
);

const cloudevents = object(
  {
    mode: {
      enum: ["structured", "binary"],
      default: "structured",
      description: "How events are written: as JSON, or with their attributes in headers.",
    },
    record: {
      enum: ["data", "event"],
      default: "data",
      description: "What a record is: an event's data, or the event itself in the JSON format.",
    },
    source: template("The events' source, a template. Needed to write data."),
    type: template("The events' type, a template. Needed to write data."),
    subject: template("The events' subject, a template; left out where it gives nothing."),
    time: template("The events' time, a template; left out where it gives nothing."),
  },
  { description: "Messages are CloudEvents 1.0. Read, they may be of either mode." },
);

const settings: Members = {
  group: text(
    "Consumer group of mode incremental: partitions are shared with its other members, and what is in the log is " +
      "committed. Left out, all partitions are read, and nothing is committed.",
  ),
  start: {
    type: "string",
    pattern: "^(earliest|latest|\\d{4}-\\d{2}-\\d{2}([Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2}))?)$",
    default: "earliest",
    description: "Where the first run begins: earliest, latest (of a group), or the first message of a date or time.",
  },
  on_lost: {
    enum: ["dead_letter", "fail"],
    default: "dead_letter",
    description:
      "What happens where messages were deleted before they were read: a dead letter says which, and reading goes on " +
      "with the first that is there, or the run fails.",
  },
  record: {
    enum: ["value", "message"],
    default: "value",
    description:
      "What a record is: a message's value, or an object of key, value, headers, topic, partition, offset and timestamp.",
  },
  format: {
    enum: formats,
    default: "json",
    description: "What values are: JSON, text, or bytes, which are Base64 in records.",
  },
  key_format: { enum: formats, default: "text", description: "The same of keys, in records that are messages." },
  tombstones: {
    enum: ["null", "skip"],
    default: "null",
    description: "A message without a value is null in place of the value, or is left out.",
  },
  cloudevents,
  write,
};

export const kafkaConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...object({
    brokers: {
      type: "array",
      minItems: 1,
      items: { type: "string", pattern: "^[^\\s:/@\\[\\]]+(:\\d{1,5})?$" },
      description: "Some of the cluster's brokers, `host:port`. Default: those of SLUICE_KAFKA_BROKERS.",
    },
    client_id: text("What the brokers' logs and quotas know the client by.", { default: "sluice" }),
    sasl: object(
      {
        mechanism: { enum: ["plain", "scram-sha-256", "scram-sha-512"], description: "How the password is shown." },
        username: text("The user."),
        password: secret("The password."),
      },
      { required: ["mechanism", "username", "password"], description: "Log-in by SASL." },
    ),
    tls: {
      description: "TLS: true, or how.",
      oneOf: [
        { type: "boolean" },
        object({
          ca: text("Certificates of authorities to trust in place of the well-known ones, PEM."),
          cert: text("The client's certificate, PEM."),
          key: secret("The key of the client's certificate, PEM."),
          passphrase: secret("The passphrase of the key."),
          server_name: text("The name in the brokers' certificates, where it is not their host's."),
          verify: { type: "boolean", default: true, description: "False trusts any certificate." },
        }),
      ],
    },
    timeout: object(
      {
        connect: duration("Until a broker is connected to.", "5s"),
        read: duration("For an answer; and how long a write is tried again by itself while its broker is away.", "30s"),
      },
      { description: "Patience with brokers." },
    ),
    session_timeout: duration("After which the group gives the partitions of a member that died to others.", "10s"),
    ...settings,
    streams: {
      type: "object",
      description: "Streams with settings of their own. Any other name is a topic's.",
      propertyNames: { minLength: 1 },
      additionalProperties: object(
        {
          topic: { type: "string", pattern: topic, description: "The topic. Default: the stream's name." },
          topics: {
            type: "array",
            minItems: 1,
            uniqueItems: true,
            items: { type: "string", pattern: topic },
            description: "Several topics, to read.",
          },
          pattern: text("Regular expression of the names of topics to read; those that are made later are read too."),
          ...settings,
        },
        { description: "A stream's settings; left out, the connector's." },
      ),
    },
  }),
};
