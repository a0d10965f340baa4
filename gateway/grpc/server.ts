import { once as event } from "node:events";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import type { Validator } from "../../runtime/ports/connectors.ts";
import type { Logger } from "../../runtime/ports/logger.ts";
import { traceparentOf } from "../../runtime/record/index.ts";
import { type Authenticator, authenticate, type Identity, type RequestLimits } from "../auth/index.ts";
import { idempotencyKeyOf, once } from "../rest/idempotency.ts";
import { hasHiddenCause } from "../rest/problem.ts";
import { overtaken, type Readiness, type Services } from "../services/index.ts";
import type { ServerTls } from "../tls/index.ts";
import { admission, type Patience, textOf } from "./admission.ts";
import { readMessage, writeMessage } from "./convert.ts";
import { addHealth } from "./health.ts";
import { answeredAgain, toBeKept } from "./kept-failure.ts";
import { answerOf, readerOf, type UnaryMethod, unaryMethods } from "./methods.ts";
import { addReflection } from "./reflection.ts";
import { controlService } from "./schema.ts";
import { toServiceError } from "./status.ts";
import { streamMethods } from "./streams.ts";
import { TlsCredentials } from "./tls-credentials.ts";

export interface GrpcOptions {
  readonly services: Services;
  readonly auth: Authenticator;
  /** The same as of REST, which count together. */
  readonly limits: RequestLimits;
  readonly readiness: Readiness;
  readonly validator: Validator;
  readonly logger: Logger;
  /** Undefined: plain. */
  readonly tls?: ServerTls | undefined;
  /** Largest request taken, in bytes; default 8 MiB, as of REST. */
  readonly messageLimit?: number;
  /** Each instead of the one that clients have otherwise. */
  readonly patience?: Partial<Patience>;
}

export interface Grpc {
  /** The port; 0 picks a free one. Throws the error of the system, with its code. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Ends streams, and lets calls that are under way finish for up to three seconds. */
  close(): Promise<void>;
}

const bounds = { streamsOfConnection: 100, streamsOfCaller: 100, answerBytes: 64 * 1024 * 1024, graceMs: 3_000 };
const initialPatience: Patience = { message: 60_000, answer: 60_000, grace: 5_000 };
/** How often it is looked whether who reads a stream still may; a key that is known is trusted for ten seconds. */
const trustMs = 1_000;

type Call = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

/** What a call is served with. */
interface Asking {
  readonly caller: Identity;
  readonly services: Services;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** The control API over gRPC, not listening yet. */
export function createGrpc(options: GrpcOptions): Grpc {
  const { services, auth, limits, validator, logger, tls } = options;
  const patience = { ...initialPatience, ...options.patience };
  const closing = new AbortController();
  const unaries = unaryMethods();
  const streams = streamMethods();
  const failed = (error: unknown, requestId: string, method: string) => {
    const answer = toServiceError(error, requestId);
    const about = { err: error, request_id: requestId, method };
    if (answer.code === 13) logger.error(about, "call failed");
    else if (hasHiddenCause(error)) logger.warn(about, "call not served");
    return answer;
  };
  const { interceptor, admittedOf } = admission({
    auth,
    limits,
    patience,
    failed,
    wanted: new Map([
      ...unaries.map(({ method, route: { scopes, isData = false } }) => [pathOf(method), { scopes, isData }] as const),
      ...streams.map(({ method, scopes }) => [pathOf(method), { scopes, isData: false }] as const),
    ]),
  });
  const server = new Server({
    interceptors: [interceptor],
    "grpc.max_receive_message_length": options.messageLimit ?? 8 * 1024 * 1024,
    "grpc.max_send_message_length": bounds.answerBytes,
    "grpc.max_concurrent_streams": bounds.streamsOfConnection,
    // Whoever went away without a word is found out.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // Nobody keeps a connection that asks for nothing.
    "grpc.max_connection_idle_ms": 300_000,
    // MiB of HTTP/2's own buffers of a connection, which grpc-js leaves unbounded; more than the largest answer.
    "grpc-node.max_session_memory": 128,
  });

  /** By caller, the streams that are open. */
  const open = new Map<string, number>();

  /** Counts a stream until what is returned is called. Throws RetryLaterError, RATE_LIMITED. */
  function openStream({ id }: Identity): () => void {
    const count = open.get(id) ?? 0;
    if (count >= bounds.streamsOfCaller)
      throw new RetryLaterError(`${count} streams of this caller are open on this node`, 10_000, "RATE_LIMITED");
    open.set(id, count + 1);
    return () => {
      const left = (open.get(id) ?? 1) - 1;
      if (left === 0) open.delete(id);
      else open.set(id, left);
    };
  }

  /** Ends the call's work when nobody waits for it any more. */
  function begin(call: Call): Asking {
    const { caller, requestId } = admittedOf(call.metadata);
    const aborter = new AbortController();
    const gone = () => aborter.abort(new SluiceError("TIMEOUT", "nobody waits for the answer any more"));
    call.on("cancelled", gone);
    if (call.cancelled) gone();
    const { id, name, owner } = caller;
    const traceparent = traceparentOf(textOf(call.metadata, "traceparent"));
    const { signal } = aborter;
    return { caller, services: services.as({ id, name, owner, requestId, traceparent }, signal), requestId, signal };
  }

  function unary(served: UnaryMethod): handleUnaryCall<Buffer, Buffer> {
    const { method, route } = served;
    const read = readerOf(route, validator);
    const answer = async (
      { caller, services: own, signal }: Asking,
      { request, metadata }: ServerUnaryCall<Buffer, Buffer>,
    ) => {
      const key = idempotencyKeyOf(textOf(metadata, "idempotency-key"));
      const onGone = (listener: () => void) => signal.addEventListener("abort", listener, { once: true });
      const asked = { ...read(readMessage(method.input, request)), caller, onGone };
      const work = async () => ({
        status: route.answer.status,
        headers: {},
        body: answerOf(
          served,
          await route.handle(asked, own).catch((error) => Promise.reject(overtaken(error, asked.ifMatch))),
        ),
      });
      if (key === undefined || route.method !== "POST") return (await work()).body;
      const { params, query, body } = asked;
      const one = {
        caller: caller.id,
        key,
        method: "gRPC",
        url: method.name,
        isSecret: route.answer.isSecret === true,
      };
      const kept = await once(own.idempotency, { ...one, body: { params, query, body } }, () => work().catch(toBeKept));
      return answeredAgain(kept);
    };
    return (call, respond) => {
      const asking = begin(call);
      answer(asking, call)
        .then((body) => writeMessage(method.output, body))
        .then(
          (bytes) => respond(null, bytes),
          (error) => respond(failed(error, asking.requestId, method.name)),
        );
    };
  }

  function streaming({
    method,
    open: items,
  }: ReturnType<typeof streamMethods>[number]): handleServerStreamingCall<Buffer, Buffer> {
    const serve = async (call: ServerWritableStream<Buffer, Buffer>, asking: Asking) => {
      const closed = openStream(asking.caller);
      const ending = new AbortController();
      const signal = AbortSignal.any([asking.signal, closing.signal, ending.signal]);
      const trust = setInterval(() => {
        const authorization = textOf(call.metadata, "authorization");
        authenticate(authorization, auth).catch((error: unknown) => ending.abort(error));
      }, trustMs);
      try {
        for await (const item of items(
          readMessage(method.input, call.request),
          asking.services,
          signal,
          asking.caller,
        )) {
          if (!call.write(writeMessage(method.output, item))) await event(call, "drain", { signal });
        }
        signal.throwIfAborted();
        call.end();
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      } finally {
        clearInterval(trust);
        closed();
      }
    };
    return (call) => {
      const asking = begin(call);
      // The call may be over, and what is told of its end then reaches nobody.
      serve(call, asking).catch(
        (error: unknown) => void call.emit("error", failed(error, asking.requestId, method.name)),
      );
    };
  }

  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  const add = (
    method: UnaryMethod["method"],
    responseStream: boolean,
    handle: UntypedServiceImplementation[string],
  ) => {
    definition[method.localName] = { path: pathOf(method), requestStream: false, responseStream, ...bytes };
    implementation[method.localName] = handle;
  };
  for (const served of unaries) add(served.method, false, unary(served));
  for (const served of streams) add(served.method, true, streaming(served));
  server.addService(definition, implementation);
  const health = addHealth(server, options.readiness, closing.signal);
  addReflection(server);

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        const credentials = tls === undefined ? ServerCredentials.createInsecure() : new TlsCredentials(tls);
        const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
        server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
      }),
    async close() {
      closing.abort(new SluiceError("UNAVAILABLE", "the node stops"));
      health.close();
      const force = setTimeout(() => server.forceShutdown(), bounds.graceMs);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(force);
    },
  };
}

/** Messages are read and written where their errors can be told. */
const same = (message: Buffer) => message;
const bytes = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

const pathOf = ({ name }: UnaryMethod["method"]) => `/${controlService.typeName}/${name}`;
