import { durationPattern, type JsonSchema } from "../sdk/index.ts";

type Members = { readonly [name: string]: JsonSchema };

const object = (properties: Members, more: object = {}) => ({
  type: "object",
  additionalProperties: false,
  properties,
  ...more,
});

/** An object whose `type` decides which of its members are required and which may stand there at all. */
function byType(
  properties: Members,
  types: { readonly [type: string]: { readonly required?: readonly string[]; readonly takes?: readonly string[] } },
  description: string,
) {
  const always = Object.keys(properties).filter((name) => name === "type");
  return object(properties, {
    description,
    required: ["type"],
    allOf: Object.entries(types).map(([type, { required = [], takes = [] }]) => {
      const known = [...always, ...required, ...takes];
      const others = Object.keys(properties).filter((name) => !known.includes(name));
      return {
        if: { required: ["type"], properties: { type: { const: type } } },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: { required, properties: Object.fromEntries(others.map((name) => [name, false])) },
      };
    }),
  });
}

const text = (description: string, more: object = {}) => ({ type: "string", minLength: 1, description, ...more });
/** Written in the mapping language: `x-expression` says so to whoever checks a config. */
const path = (description: string, more: object = {}) => text(description, { "x-expression": "path", ...more });
const template = (description: string) => text(description, { "x-expression": "template" });
const secret = (description: string) => text(description, { writeOnly: true });
const duration = (description: string, initial?: string) => ({
  type: "string",
  pattern: durationPattern,
  description,
  ...(initial === undefined ? {} : { default: initial }),
});
/** Names that make no header of their own, and values without the characters that would end one. */
const headers = (description: string, more: object = {}) => ({
  type: "object",
  description,
  propertyNames: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
  additionalProperties: { type: "string", writeOnly: true, description: "The header's value.", ...more },
});

const url = "^https?://[^\\s/?#@\\\\]+(/[^\\s?#]*)?$";

const auth = byType(
  {
    type: {
      enum: ["none", "basic", "bearer", "api_key", "oauth2_client_credentials"],
      description: "How requests are authenticated.",
    },
    username: text("basic: the user."),
    password: { type: "string", writeOnly: true, description: "basic: the password." },
    token: secret("bearer: the token."),
    in: { enum: ["header", "query"], default: "header", description: "api_key: where the key stands." },
    name: text("api_key: name of the header or query parameter."),
    value: secret("api_key: the key."),
    token_url: text("oauth2_client_credentials: where tokens are given.", { pattern: url }),
    client_id: text("oauth2_client_credentials: the client."),
    client_secret: secret("oauth2_client_credentials: the client's secret."),
    scopes: {
      type: "array",
      items: { type: "string", pattern: "^\\S+$" },
      description: "oauth2_client_credentials: what is asked for.",
    },
    params: {
      type: "object",
      additionalProperties: { type: "string", writeOnly: true, description: "The parameter's value." },
      description: "oauth2_client_credentials: further parameters of the token request, such as audience.",
    },
    client_auth: {
      enum: ["basic", "body"],
      default: "basic",
      description: "oauth2_client_credentials: whether the client's id and secret stand in the header or in the body.",
    },
  },
  {
    none: {},
    basic: { required: ["username", "password"] },
    bearer: { required: ["token"] },
    api_key: { required: ["name", "value"], takes: ["in"] },
    oauth2_client_credentials: {
      required: ["token_url", "client_id", "client_secret"],
      takes: ["scopes", "params", "client_auth"],
    },
  },
  "Authentication. A 401 takes a new token where there is one to take, and tries once more.",
);

const limits = ["size", "size_param", "max_pages"];

const pagination = byType(
  {
    type: {
      enum: ["none", "page", "offset", "cursor", "link", "next_url", "keyset"],
      default: "link",
      description: "How the next page is asked for.",
    },
    param: text("Query parameter of the page's number, offset, cursor or last value. Templates have it as $.page."),
    start: { type: "integer", minimum: 0, description: "First number (page: 1) or offset (0)." },
    size: { type: "integer", minimum: 1, description: "Records in a page. A shorter page is the last one." },
    size_param: text("Query parameter that asks for `size` records; left out, it is not sent."),
    cursor_path: path("JSONPath of the next page's cursor in the answer; null, empty or nothing: the last page."),
    next_url_path: path("JSONPath of the next page's URL in the answer; null, empty or nothing: the last page."),
    rel: text("Relation of the Link header.", { default: "next" }),
    field: text("Field path of the value that the next page begins after: in the last record.", {
      "x-expression": "field",
    }),
    order: { enum: ["asc", "desc"], default: "asc", description: "Which way the values of `field` go." },
    total_path: path("JSONPath of how many pages (page) or records (offset) there are in all."),
    has_more_path: path("JSONPath in the answer: false, null or nothing says that the page is the last one."),
    max_pages: { type: "integer", minimum: 1, description: "More pages than this are an error." },
  },
  {
    none: {},
    page: { takes: ["param", "start", "total_path", "has_more_path", ...limits] },
    offset: { takes: ["param", "start", "total_path", "has_more_path", ...limits] },
    cursor: { required: ["cursor_path"], takes: ["param", "has_more_path", ...limits] },
    link: { takes: ["rel", ...limits] },
    next_url: { required: ["next_url_path"], takes: limits },
    keyset: { required: ["field"], takes: ["param", "order", "has_more_path", ...limits] },
  },
  "Left out: Link headers are followed where there are some.",
);

const incremental = object(
  {
    param: text("Query parameter that asks for records from a value on. Templates have the value as $.since."),
    format: {
      enum: ["as_is", "iso", "date", "epoch", "epoch_ms"],
      default: "as_is",
      description: "How the value is written: as the records have it, RFC 3339, a date, or seconds or milliseconds.",
    },
    lookback: duration(
      "How far below the highest value read so far is asked for again. What was delivered from there is left out.",
      "1m",
    ),
    start: { type: ["string", "number"], description: "The value that the first run asks from; left out: everything." },
  },
  {
    description:
      "Mode incremental: how records from a value of `cursor_field` on are asked for. Without `param`, and without " +
      "$.since in a template, all is read and what lies below is left out here.",
  },
);

/** `path` and the rest of a request; `verbs`: what its method may be. */
const request = (verbs: readonly string[], initial: string, where: string): Members => ({
  method: { enum: verbs, description: `HTTP method. Default: ${initial}.` },
  path: { type: "string", pattern: "^(/|$|\\{\\{)", description: where, "x-expression": "template" },
  query: {
    type: "object",
    description: "Query parameters. Null is left out; an array is sent as several.",
    additionalProperties: {
      type: ["string", "number", "boolean", "null", "array"],
      description: "The parameter's value, a template.",
      "x-expression": "template",
    },
  },
  headers: headers("Headers beside the connector's, templates.", { "x-expression": "template" }),
  body: { description: "The body, JSON whose texts are templates.", "x-expression": "template" },
});

const results = object(
  {
    path: path("JSONPath of the results, one a record: an array, or one result alone.", { default: "$" }),
    status: path("JSONPath in a result: an HTTP status, true or false, or one of the words in `ok`."),
    message: path("JSONPath in a result: what is wrong with the record."),
    index: path("JSONPath in a result: index of its record, from 0; left out: results are in the records' order."),
    ok: {
      type: "array",
      items: { type: "string" },
      default: ["ok", "success", "created", "updated"],
      description: "Words of `status` that say that the record was taken, in any case.",
    },
    only_failures: {
      type: "boolean",
      default: false,
      description: "There are results of failed records only, each with its `index`.",
    },
  },
  { description: "What the answer says of each record. Left out, the HTTP status stands for all of them." },
);

const write = (initial: string, where: string, description: string) =>
  object(
    {
      ...request(["POST", "PUT", "PATCH"], initial, where),
      batch: object(
        {
          records: { type: "integer", minimum: 1, maximum: 10_000, description: "Records in a request, at most." },
          format: {
            enum: ["json", "ndjson"],
            default: "json",
            description: "Whether a batch is JSON, or a line for each record.",
          },
          body: {
            description: "json: what holds the records, as a template with {{ $.records }}. Default: an array.",
            "x-expression": "template",
          },
        },
        { required: ["records"], description: "Several records in a request; left out, each has its own." },
      ),
      results,
      answer: {
        enum: ["no_page", "json", "any"],
        default: "no_page",
        description:
          "What a 2xx has to be, without `results`, to say that records were taken: anything but an HTML page, JSON or " +
          "nothing, or anything.",
      },
      idempotency_key: {
        type: ["boolean", "string"],
        default: true,
        description: "Whether the header Idempotency-Key, or the one named, is sent, made of the records' ids.",
      },
    },
    { description },
  );

const stream = object({
  ...request(["GET", "POST"], "GET", "Path below base_url, a template. Default: the stream's name."),
  format: {
    enum: ["auto", "json", "ndjson"],
    default: "auto",
    description: "What the answer is: JSON, or a JSON text on each line. auto: by its Content-Type.",
  },
  records: path("JSONPath of the records in the answer: an array, or one record alone.", { default: "$" }),
  pagination,
  incremental,
  key: {
    type: "array",
    items: { type: "string", "x-expression": "field" },
    description: "Field paths that identify a record.",
  },
  cloudevents: object(
    {
      mode: {
        enum: ["structured", "binary", "batch"],
        default: "structured",
        description:
          "How events are written: each as JSON, with its attributes in headers, or several as a JSON array.",
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
    { description: "What goes over the wire is CloudEvents 1.0. Read, they may be of any mode." },
  ),
  append: write("POST", "Path below base_url, a template. Default: the stream's.", "How mode append writes."),
  upsert: write(
    "PUT",
    "Path below base_url, a template. Default: the stream's, and a segment for each value of the key.",
    "How mode upsert writes: requests that may be repeated.",
  ),
});

export const httpConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...object(
    {
      base_url: text("What all paths are below, such as https://crm.example.com/api.", { pattern: url }),
      headers: headers("Headers of every request to the origin of base_url."),
      auth,
      timeout: object(
        {
          connect: duration("Until connected, TLS included.", "5s"),
          read: duration("For an answer, or the next piece of it.", "30s"),
          total: duration(
            "For a request as a whole. Where it is not set, a page of records may take longer if it comes at 1 kB a second or more.",
            "60s",
          ),
        },
        { description: "Patience with the server; delivery.timeout wins for writes." },
      ),
      tls: object(
        {
          ca: text("Certificates (PEM) that are trusted instead of the system's."),
          verify: { type: "boolean", default: true, description: "false takes any certificate." },
        },
        { description: "How the server's certificate is checked." },
      ),
      compression: {
        enum: ["none", "gzip", "br", "zstd"],
        default: "none",
        description: "How bodies are sent. Answers may have any of these.",
      },
      send_identity: {
        type: "boolean",
        default: false,
        description: "Tells the server who made the request that set this one going: X-Sluice-Actor, X-Sluice-Owner.",
      },
      concurrency: {
        type: "integer",
        minimum: 1,
        maximum: 64,
        default: 4,
        description: "Requests of one destination, or of one batch of look-ups, at once.",
      },
      streams: {
        type: "object",
        description: "Streams by name. Left out, any name is a stream: its path.",
        additionalProperties: stream,
      },
    },
    { required: ["base_url"] },
  ),
};
