import type { Part } from "../../runtime/config/index.ts";
import { hookPath } from "./hook-routes.ts";
import { idempotencyKeySchema } from "./idempotency.ts";
import { problemType } from "./problem.ts";
import { ifMatchPattern } from "./requests.ts";
import { problem } from "./resource-schemas.ts";
import type { Route } from "./route.ts";

const descriptions: Readonly<Record<number, string>> = {
  400: "The request is not as it should be; `errors` has every fault with its path.",
  401: "There is no token, or it is none of ours.",
  403: "Who asks may not do this.",
  404: "There is nothing of that id.",
  409: "It does not go with the present state.",
  412: "It was changed since the version that If-Match names.",
  413: "The body is too large.",
  414: "The path is longer than this server takes.",
  415: "The body is of a type that is not taken.",
  429: "Too many requests in a minute; Retry-After says when the next one is taken.",
  422: "It was understood, and the far side refuses it.",
  500: "Something went wrong inside the server.",
  502: "The far side failed.",
  503: "A server that is needed is away.",
  504: "It was not done in time; the far side did not answer.",
};

export interface Description {
  readonly components: { readonly schemas: object; readonly [kind: string]: object };
  readonly [field: string]: unknown;
}

/** The API's description in OpenAPI 3.1, of the same routes and schemas that serve and check it. */
export function openApi(routes: readonly Route[], version: string): Description {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operation(route);
  }
  paths[hookPath] = hookOperations;
  return {
    openapi: "3.1.0",
    info: {
      title: "sluice",
      version,
      description: "Connects products, databases, files and queues, and delivers every record at least once.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "An API key, such as the file `token` of the data folder has.",
        },
      },
      schemas: { Problem: problem },
      responses: Object.fromEntries(
        Object.keys(descriptions).map((status) => [status, problemResponse(Number(status))]),
      ),
    },
  };
}

function operation({
  operationId,
  tag,
  summary,
  scopes,
  path,
  query = {},
  body,
  bodyOptional,
  answer,
  method,
  versioned,
  problems = [],
}: Route): object {
  const isConditional = versioned === true && (method === "PUT" || method === "PATCH" || method === "DELETE");
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const statuses = [
    400,
    401,
    403,
    429,
    500,
    503,
    504,
    ...(inPath.length > 0 ? [404, 414] : []),
    ...(method === "GET" ? [] : [413, 415]),
    ...(isConditional ? [412] : []),
    ...(method === "POST" ? [409, 422] : []),
    ...problems,
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    "x-scopes": scopes,
    parameters: [
      ...inPath.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...Object.entries(query).map(([name, schema]) => ({
        name,
        in: "query",
        description: schema.description,
        schema,
      })),
      ...(isConditional ? [ifMatch] : []),
      ...(method === "POST" ? [idempotencyKey] : []),
    ],
    ...(body && {
      requestBody: { required: bodyOptional === undefined, content: { "application/json": { schema: body } } },
    }),
    responses: {
      [answer.status]: {
        description: answer.description,
        ...(versioned && answer.schema && { headers: { ETag: etag } }),
        ...(answer.schema && {
          content: answer.isStream ? { "text/event-stream": { schema: answer.schema } } : json(answer.schema),
        }),
      },
      ...Object.fromEntries(
        statuses.toSorted((a, b) => a - b).map((status) => [status, { $ref: `#/components/responses/${status}` }]),
      ),
    },
  };
}

/** Outside of the routes, since its body is whatever the sender sends, and no token is asked for. */
const hookOperations = {
  post: {
    operationId: "receiveHook",
    tags: ["hooks"],
    summary: "Sends a record to an integration with the trigger webhook, as its `auth` says it is signed",
    security: [],
    parameters: [{ name: "integration", in: "path", required: true, schema: { type: "string" } }],
    requestBody: { content: { "*/*": { schema: {} } } },
    responses: {
      202: { description: "It is in the log, as durable as that is.", content: json(receiptSchema("accepted")) },
      200: {
        description: "It is in the log already; or the answer to a provider's question, as text.",
        content: { ...json(receiptSchema("duplicate")), "text/plain": { schema: { type: "string" } } },
      },
      ...problemsOf(400, 401, 404, 413, 414, 429, 500, 503),
    },
  },
  get: {
    operationId: "confirmHook",
    tags: ["hooks"],
    summary: "Answers the challenge by which Meta asks whether a webhook is wanted",
    security: [],
    parameters: [
      { name: "integration", in: "path", required: true, schema: { type: "string" } },
      ...["hub.mode", "hub.verify_token", "hub.challenge"].map((name) => ({
        name,
        in: "query",
        schema: { type: "string" },
      })),
    ],
    responses: {
      200: { description: "The challenge.", content: { "text/plain": { schema: { type: "string" } } } },
      ...problemsOf(400, 401, 404, 414, 429, 500, 503),
    },
  },
};

function receiptSchema(status: string): Part {
  return { type: "object", properties: { status: { const: status } }, required: ["status"] };
}

function problemsOf(...statuses: number[]): object {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}

const etag = { description: "Its version, for If-Match.", schema: { type: "string" } };
const ifMatch = {
  name: "If-Match",
  in: "header",
  description: "The ETag of the version that is meant: one that was changed meanwhile is left as it is (412).",
  schema: { type: "string", pattern: ifMatchPattern },
};

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description: "The request is made once, however often it comes in 24 hours: it is answered as it was the first time.",
  schema: idempotencyKeySchema,
};

function json(schema: Part): object {
  return { "application/json": { schema } };
}

function problemResponse(status: number): object {
  const headers = { "Retry-After": { description: "In seconds.", schema: { type: "string", pattern: "^[0-9]+$" } } };
  const content = { [problemType]: { schema: { $ref: "#/components/schemas/Problem" } } };
  return { description: descriptions[status]!, ...(status === 429 && { headers }), content };
}
