import { randomUUIDv7 } from "node:crypto";
import type { Server } from "node:https";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import cors, { type FastifyCorsOptions } from "@fastify/cors";
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Part } from "../../runtime/config/index.ts";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import type { Validate, Validator } from "../../runtime/ports/connectors.ts";
import type { KeptAnswer } from "../../runtime/ports/idempotency.ts";
import { traceparentOf } from "../../runtime/record/index.ts";
import {
  type Authenticator,
  type Identity,
  type RequestLimits,
  requireScopes,
  type Scope,
  TooManyRequestsError,
} from "../auth/index.ts";
import { addConsole, assetsUrl } from "../console/index.ts";
import type { HookReceiver } from "../hooks/index.ts";
import {
  type EventStream,
  type MetricsText,
  NotThroughError,
  overtaken,
  type Readiness,
  type Services,
} from "../services/index.ts";
import type { ServerTls } from "../tls/index.ts";
import { admit, challenge, tell } from "./admission.ts";
import { allowedMethods } from "./allowed-methods.ts";
import { parseBody } from "./body.ts";
import { docsPage, docsPolicy } from "./docs-page.ts";
import { EventStreams } from "./event-streams.ts";
import { addHookRoutes, hookPath, hookUrl } from "./hook-routes.ts";
import { idempotencyKeyOf, once } from "./idempotency.ts";
import { openApi } from "./openapi.ts";
import { withComponents } from "./openapi-components.ts";
import { hasHiddenCause, problemType, toProblem } from "./problem.ts";
import { completeQuery, hasOneHost, ifMatchOf, requestIdOf } from "./requests.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes.ts";

export interface RestOptions {
  readonly services: Services;
  readonly auth: Authenticator;
  readonly limits: RequestLimits;
  readonly readiness: Readiness;
  readonly metrics: MetricsText;
  readonly validator: Validator;
  readonly hooks: HookReceiver;
  /** A pino logger. */
  readonly logger: FastifyBaseLogger;
  /** The product's version, shown in the OpenAPI. */
  readonly version: string;
  /** Other origins whose pages browsers may let call; left out: none. */
  readonly corsOrigins?: readonly string[];
  /** Undefined: plain HTTP. */
  readonly tls?: ServerTls | undefined;
  /** In milliseconds, each instead of the one that clients have otherwise. */
  readonly patience?: Partial<typeof initialPatience>;
  /** Folder of the built console; undefined: none is served. */
  readonly consoleFolder?: string;
  /** Largest body taken, in bytes; default 8 MiB. */
  readonly bodyLimit?: number;
}

/**
 * Answered without a token: what tells an orchestrator whether to wait or to restart, and what is the same for every
 * installation, to be read in a browser. Who sends hooks proves itself otherwise.
 */
const open: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz", "/docs", assetsUrl, hookUrl]);

/** What is answered besides the API. */
const besides = ["/openapi.json", "/docs", "/healthz", "/readyz", "/metrics"] as const;

/** What an answer says of itself: it is kept by nobody, taken for nothing else, and shown inside no other page. */
const always = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
};

/** What a page of another origin may send and read, where it is let. Tokens go by header alone, so no cookies do. */
const crossOrigin = {
  methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
  allowedHeaders: [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "Last-Event-ID",
    "Traceparent",
    "X-Request-ID",
  ],
  exposedHeaders: [
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
  ],
  maxAge: 600,
  strictPreflight: false,
};

/** How long a client may take: to send the head of a request, all of it, to ask again on the same connection. */
const initialPatience = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 72_000,
  /** To take something of an answer. */
  answerTimeout: 60_000,
};

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a caller must be allowed, all of it. */
    readonly scopes?: readonly Scope[];
    /** What of @fastify/cors is otherwise here. */
    readonly cors?: Pick<FastifyCorsOptions, "preflightContinue">;
  }
}

/** By request, who makes it. */
const callers = new WeakMap<FastifyRequest, Identity>();

/** The HTTP server with the API under /v1, not listening yet. `close()` lets requests that are under way finish. */
export function createRest(options: RestOptions): FastifyInstance {
  const { services, auth, limits, validator, tls } = options;
  const patience = { ...initialPatience, ...options.patience };
  const http = {
    headersTimeout: patience.headersTimeout,
    connectionsCheckingInterval: patience.headersTimeout / 2,
    // Refused with a problem document, which Node has none of.
    requireHostHeader: false,
  };
  const app = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit ?? 8 * 1024 * 1024,
    requestIdHeader: false,
    genReqId: ({ headers }) => requestIdOf(headers["x-request-id"]),
    forceCloseConnections: "idle",
    ...(tls ? { https: { ...http, ...tls.material, handshakeTimeout: patience.headersTimeout } } : { http }),
    // A key of a record may be as long.
    routerOptions: { maxParamLength: 500 },
    requestTimeout: patience.requestTimeout,
    keepAliveTimeout: patience.keepAliveTimeout,
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    clientErrorHandler,
  }) as unknown as FastifyInstance;

  tls?.onChange((material) => (app.server as unknown as Server).setSecureContext(material));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_: FastifyRequest, body: Buffer) =>
    body.length === 0 ? undefined : parseBody(body),
  );
  // Numbers with more digits than a double holds are written as they came.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setReplySerializer((body) => JSON.stringify(body));
  app.setErrorHandler(sendProblem);
  const hooks = ["POST", "GET"].map((method) => ({ method, path: hookPath }) as Route);
  const allowed = allowedMethods([...routes, ...hooks, ...besides.map((path) => ({ method: "GET", path }) as const)]);
  const refuseUnknown = ({ method, url }: FastifyRequest, reply: FastifyReply) => {
    const path = url.split("?", 1)[0] as string;
    const methods = allowed(path);
    if (methods.length === 0) throw new SluiceError("NOT_FOUND", `there is no ${method} ${path}`);
    reply.header("allow", methods.join(", "));
    throw Object.assign(new Error(`${path} takes ${methods.join(", ")}, not ${method}`), { statusCode: 405 });
  };
  const moving = new Set<string | undefined>(routes.filter(({ isData }) => isData).map(({ path }) => urlOf(path)));
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ ...always, "x-request-id": request.id });
    if (!hasOneHost(request.raw)) throw new SluiceError("VALIDATION_ERROR", "a request has one Host header");
  });
  // Whoever reads nothing of an answer is cut off. Node counts anew whenever some of it has gone out, and by another limit
  // once all of it has.
  app.addHook("onSend", async (request, { raw }) => {
    // What is injected comes over no connection.
    if (!(request.raw.socket instanceof Socket)) return;
    raw.setTimeout(patience.answerTimeout);
    raw.prependOnceListener("finish", () => raw.setTimeout(0));
  });
  // A preflight request has no token: it is answered before one is asked for.
  if (options.corsOrigins?.length) app.register(cors, { ...crossOrigin, origin: [...options.corsOrigins] });
  const pages = options.consoleFolder === undefined ? null : addConsole(app, options.consoleFolder);
  app.setNotFoundHandler(refuseUnknown);
  app.after(() => {
    app.addHook("onRequest", async (request, reply) => {
      const { url } = request.routeOptions;
      if (request.is404 && pages?.shows(request)) return pages.show(reply);
      if (!open.has(url)) {
        const caller = await admit(request, reply, { auth, limits, isData: moving.has(url) });
        // Before a body is read that its sender may not send.
        requireScopes(caller, request.routeOptions.config.scopes ?? []);
        callers.set(request, caller);
      }
      // Before a body is read of a request that nobody answers.
      if (request.is404) refuseUnknown(request, reply);
    });
  });

  const streams = new EventStreams(auth);
  app.addHook("preClose", async () => streams.close());
  for (const route of routes) addRoute(app, route, services, validator, streams);
  addHookRoutes(app, { receiver: options.hooks, limits });
  const description = openApi(routes, options.version);
  const withNames = withComponents(description);
  app.get("/openapi.json", async () => withNames);
  let page: string | undefined;
  app.get("/docs", async (_, reply) => {
    reply.header("content-security-policy", docsPolicy).type("text/html; charset=utf-8").serializer(String);
    return (page ??= docsPage(description));
  });
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async (_, reply) => {
    const parts = await options.readiness.check();
    const ready = Object.values(parts).every((reason) => reason === null);
    const shown = Object.entries(parts).map(([part, reason]) => [part, { ready: reason === null, reason }]);
    return reply
      .status(ready ? 200 : 503)
      .send({ status: ready ? "ready" : "not_ready", parts: Object.fromEntries(shown) });
  });
  app.get("/metrics", { config: { scopes: ["platform:read"] } }, async (request, reply) => {
    const text = await options.metrics.render();
    reply.type(options.metrics.contentType).header("vary", "accept-encoding");
    if (!acceptsGzip(request.headers["accept-encoding"])) return reply.serializer(String).send(text);
    // Megabytes where there are many integrations, most of it the same again and again.
    reply.header("content-encoding", "gzip");
    return compress(text, { level: constants.Z_BEST_SPEED });
  });
  return app;
}

const compress = promisify(gzip);

/** Whether a client asks for it: `gzip`, and not with `q=0`. */
const acceptsGzip = (accepted: string | undefined) =>
  accepted?.split(",").some((one) => /^\s*gzip\s*(;(?!\s*q=0(\.0*)?\s*$)|$)/i.test(one)) ?? false;

/** A path as fastify writes it. */
const urlOf = (path: string) => path.replaceAll(/\{(\w+)\}/g, ":$1");

function addRoute(
  app: FastifyInstance,
  route: Route,
  services: Services,
  validator: Validator,
  streams: EventStreams,
): void {
  const { method, path, answer } = route;
  const checkQuery = validator.compile({ type: "object", properties: route.query ?? {}, additionalProperties: false });
  app.route({
    method,
    url: urlOf(path),
    config: { scopes: route.scopes },
    handler: async (request, reply) => {
      const query = readQuery(request.query as Record<string, string | string[]>, route.query ?? {}, checkQuery);
      const params = request.params as Record<string, string>;
      const caller = callers.get(request) as Identity;
      const { id: callerId, name, owner } = caller;
      const traceparent = traceparentOf(request.headers.traceparent);
      const ifMatch = ifMatchOf(request.headers["if-match"]);
      const body = readBody(request.body, route);
      const own = services.as({ id: callerId, name, owner, requestId: request.id, traceparent });
      const onGone = (listener: () => void) => {
        reply.raw.once("close", () => {
          if (!reply.raw.writableFinished) listener();
        });
      };
      const asked = { params, query, body, caller, ifMatch, onGone };
      if (answer.isStream) {
        return streams.send((await route.handle(asked, own)) as EventStream, caller, request, reply);
      }
      const work = async (): Promise<KeptAnswer> => {
        const result = await route.handle(asked, own).catch((error) => Promise.reject(overtaken(error, ifMatch)));
        return { status: answer.status, headers: headersOf(route, result), body: (result ?? null) as Json };
      };
      const key = method === "POST" ? idempotencyKeyOf(request.headers["idempotency-key"]) : undefined;
      const done =
        key === undefined
          ? await work()
          : await once(
              services.idempotency,
              { caller: caller.id, key, method, url: request.url, body, isSecret: answer.isSecret === true },
              () => work().catch((error) => toBeKept(error, request.id)),
            );
      if ("replayed" in done && done.replayed) reply.header("idempotent-replayed", "true");
      return reply
        .status(done.status)
        .headers(done.headers)
        .send(done.body ?? undefined);
    },
  });
}

/** A failure that did something is answered again as it was; throws any other. */
function toBeKept(error: unknown, requestId: string): KeptAnswer {
  if (!(error instanceof NotThroughError) || error.didNothing) throw error;
  const problem = toProblem(error, requestId);
  return { status: problem.status, headers: { "content-type": problemType }, body: problem as unknown as Json };
}

function headersOf({ path, answer, versioned }: Route, result: object | undefined): Record<string, string> {
  const { version, ...given } = (result ?? {}) as { readonly version?: number; readonly [name: string]: unknown };
  const { status, key = "id", location = status === 201 ? path : undefined } = answer;
  return {
    ...(versioned && version !== undefined && { etag: `"${version}"` }),
    ...(location !== undefined && { location: `${location}/${given[key]}` }),
  };
}

function readBody(body: unknown, route: Route): Json {
  if (route.body !== undefined && body === undefined && route.bodyOptional === undefined)
    throw new SluiceError("VALIDATION_ERROR", "a JSON body is required");
  // Null stands for a body that was left out, where one may be.
  if (body === null && route.bodyOptional)
    throw new SluiceError("VALIDATION_ERROR", "the body must be an object, not null");
  if (route.body !== undefined || body === undefined) return (body ?? null) as Json;
  const empty = typeof body === "object" && body !== null && Object.keys(body).length === 0;
  if (!empty) throw new SluiceError("VALIDATION_ERROR", `${route.method} ${route.path} takes no body`);
  return null;
}

/** Texts as what the parameters' schemas want, checked, with defaults. */
function readQuery(texts: Record<string, string | string[]>, schemas: Record<string, Part>, check: Validate) {
  // Without a prototype, so that a parameter of any name is seen.
  const query: Record<string, Json> = Object.create(null);
  for (const [name, text] of Object.entries(texts)) {
    const type = Object.hasOwn(schemas, name) ? schemas[name]!.type : undefined;
    if (type === "integer" && typeof text === "string" && /^-?\d{1,15}$/.test(text)) query[name] = Number(text);
    else if (type === "boolean" && (text === "true" || text === "false")) query[name] = text === "true";
    else query[name] = text;
  }
  return completeQuery(query, schemas, check);
}

function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error, request.id);
  if (problem.status === 500) request.log.error({ err: error, request_id: request.id }, "request failed");
  else if (hasHiddenCause(error)) request.log.warn({ err: error, request_id: request.id }, "request not served");
  if (error instanceof RetryLaterError) reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
  if (error instanceof TooManyRequestsError) tell(reply, error.allowance);
  if (problem.status === 401) reply.header("www-authenticate", challenge(request, problem.detail));
  // Closing now would cut the client off while it still sends, before it reads this answer: the rest is thrown away.
  if (problem.status === 413) reply.removeHeader("connection");
  reply
    .header("x-request-id", request.id)
    .status(problem.status)
    .type(problemType)
    .serializer(JSON.stringify)
    .send(problem);
}

/** What is no HTTP at all is answered by hand, since there is no request yet. */
function clientErrorHandler(
  this: unknown,
  error: Error & { code?: string },
  socket: { writable: boolean; end(text: string): void; destroy(): void },
) {
  if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const refused = Object.assign(new Error("the request is no HTTP that this server reads"), { statusCode: status });
  const requestId = randomUUIDv7();
  const problem = toProblem(refused, requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${problem.title}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${requestId}`,
  ];
  socket.end([...head, "Connection: close", "", body].join("\r\n"));
}
