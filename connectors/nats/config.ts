import type { EventsConfig } from "../sdk/events.ts";
import { durationPattern, type JsonObject, type JsonSchema } from "../sdk/index.ts";
import { freeStream, freeSubject } from "./reserved.ts";

export interface NatsConfig {
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly nkey?: string;
  readonly creds?: string;
  readonly tls?: boolean | TlsConfig;
  readonly timeout?: { readonly connect?: string; readonly read?: string };
  readonly streams?: { readonly [name: string]: StreamConfig };
}

export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly verify?: boolean;
  readonly first?: boolean;
}

export type Via = "jetstream" | "core" | "request";
export type Format = "json" | "text" | "base64";

export interface StreamConfig {
  readonly via?: Via;
  readonly stream?: string;
  readonly subject?: string;
  readonly durable?: string;
  readonly start?: string;
  readonly on_lost?: "dead_letter" | "fail";
  readonly queue?: string;
  readonly reply?: JsonObject;
  readonly record?: "value" | "message";
  readonly format?: Format;
  readonly cloudevents?: EventsConfig;
  readonly headers?: JsonObject;
  readonly msg_id?: boolean;
}

type Members = { readonly [name: string]: JsonSchema };

const object = (properties: Members, more: object = {}) => ({
  type: "object",
  additionalProperties: false,
  properties,
  ...more,
});
const text = (description: string, more: object = {}) => ({ type: "string", minLength: 1, description, ...more });
const template = (description: string) => text(description, { "x-expression": "template" });
const secret = (description: string) => text(description, { writeOnly: true });
const duration = (description: string, initial: string) => ({
  type: "string",
  pattern: durationPattern,
  description,
  default: initial,
});
/** What JetStream takes for the name of a stream or consumer. */
const name = "^[^\\s.*>/\\\\]+$";

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

const stream = object(
  {
    via: {
      enum: ["jetstream", "core", "request"],
      default: "jetstream",
      description:
        "jetstream: messages are kept by the server. core: whoever listens gets them, at most once. request: each is " +
        "answered: read, once it is in the log; written, by whoever listens.",
    },
    stream: text("jetstream, read: the stream's name. Default: this stream's name.", {
      pattern: name,
      allOf: [freeStream],
    }),
    subject: text(
      "Read: the subject, with wildcards; of JetStream what is read of the stream. Written: a template. Default: this " +
        "stream's name, and all of a JetStream stream.",
      { "x-expression": "template", ...freeSubject },
    ),
    durable: text(
      "jetstream, read: a durable consumer of this name, made where there is none, is acknowledged what is in the log. " +
        "Left out, reading goes by sequence and leaves nothing on the server. Streams of retention workqueue or " +
        "interest need it.",
      { pattern: name },
    ),
    start: {
      type: "string",
      pattern: "^(earliest|latest|\\d{4}-\\d{2}-\\d{2}([Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2}))?)$",
      default: "earliest",
      description: "jetstream, read: where the first run begins: earliest, latest, or a date or time.",
    },
    on_lost: {
      enum: ["dead_letter", "fail"],
      default: "dead_letter",
      description:
        "What happens where messages were lost before they were read: a dead letter says which, and reading goes on, or " +
        "the run fails.",
    },
    queue: text("core and request, read: a queue group, whose members share the messages."),
    reply: {
      type: "object",
      description:
        'request, read: the answer, JSON whose texts are templates over the record. Default: {"status":"accepted"}.',
      "x-expression": "template",
    },
    record: {
      enum: ["value", "message"],
      default: "value",
      description: "What a record is: a message's value, or an object of subject, headers, value, sequence and time.",
    },
    format: {
      enum: ["json", "text", "base64"],
      default: "json",
      description: "What values are: JSON, text, or bytes, which are Base64 in records.",
    },
    cloudevents,
    headers: {
      type: "object",
      description: "Written: headers. One whose template gives nothing is left out.",
      propertyNames: { pattern: "^[!-9;-~]+$" },
      additionalProperties: {
        type: ["string", "number", "boolean"],
        description: "The header's value, a template.",
        "x-expression": "template",
      },
    },
    msg_id: {
      type: "boolean",
      default: true,
      description:
        "jetstream, written: Nats-Msg-Id is the record's id, or its idempotency key; the stream drops copies.",
    },
  },
  { description: "A stream's settings." },
);

export const natsConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...object(
    {
      servers: {
        type: "array",
        minItems: 1,
        items: { type: "string", pattern: "^((nats|tls)://)?(\\[[0-9a-fA-F:.]+\\]|[^\\s:/@\\[\\]]+)(:\\d{1,5})?/?$" },
        description: "Some of the cluster's servers, `nats://HOST:PORT`, or `tls://…`.",
      },
      user: text("Log-in by user and password."),
      password: secret("The user's password."),
      token: secret("Log-in by token."),
      nkey: secret("Log-in by nkey: its seed."),
      creds: secret("Log-in by JWT: the text of a .creds file."),
      tls: {
        description: "TLS: true, or how. A server that asks for it gets it anyway.",
        type: ["boolean", "object"],
        additionalProperties: false,
        properties: {
          ca: text("Certificates of authorities to trust in place of the well-known ones, PEM."),
          cert: text("The client's certificate, PEM."),
          key: secret("The key of the client's certificate, PEM."),
          verify: { type: "boolean", default: true, description: "False trusts any certificate." },
          first: { type: "boolean", default: false, description: "TLS before the server says anything." },
        },
      },
      timeout: object(
        { connect: duration("Until connected.", "5s"), read: duration("For an answer.", "10s") },
        { description: "Patience with servers." },
      ),
      streams: {
        type: "object",
        description:
          "Streams with settings of their own. Any other name is a JetStream stream's, or a subject to write.",
        propertyNames: { minLength: 1 },
        additionalProperties: stream,
      },
    },
    { required: ["servers"], dependentRequired: { user: ["password"], password: ["user"] } },
  ),
};
