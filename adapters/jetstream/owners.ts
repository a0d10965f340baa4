import { errors, headers, type Msg } from "@nats-io/transport-node";
import type { ErrorCode } from "../../connectors/sdk/index.ts";
import { type FieldError, messageOf, NobodyError, RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import type { Owners, Serve } from "../../runtime/ports/owners.ts";
import { DisconnectedError, isNoResponders } from "./errors.ts";
import type { NatsLink } from "./link.ts";

/** How long whoever asks has patience, in milliseconds. */
const patienceHeader = "Sluice-Patience";
/** On an answer: it is what was thrown, as JSON. */
const errorHeader = "Sluice-Error";
/** An answer whose integration has just gone to another node finds it there after about as long. */
const againMs = 1_000;
/** Room for subjects and headers within the server's largest message. */
const overhead = 4_096;

/** What an error is on its way between nodes. */
interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly errors: readonly FieldError[];
  readonly retryAfterMs?: number;
}

/**
 * Each integration has a subject, on which its owner listens and nobody else: that nobody listens the server says at
 * once, also of an owner that has died. Where two listen for a moment, one of them is asked, and the log's epoch
 * (invariant 5) tells the former owner that it is none any more.
 */
export function connectOwners(link: NatsLink): Owners {
  const served = new Map<string, Serve[]>();
  const maxBytes = () => (link.connection.info?.max_payload ?? 1024 * 1024) - overhead;

  const serveHere = async (subject: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> => {
    const serve = served.get(subject)?.at(-1);
    if (serve === undefined) throw nobody();
    const limit = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    // Not AbortSignal.timeout, whose timers would outlive thousands of answers a second.
    const timer = setTimeout(() => {
      limit.abort();
      reject(unanswered(timeoutMs));
    }, timeoutMs).unref();
    try {
      return await Promise.race([serve(request, limit.signal), late]);
    } catch (error) {
      throw error instanceof SluiceError ? error : new SluiceError("INTERNAL_ERROR", messageOf(error), [], error);
    } finally {
      clearTimeout(timer);
    }
  };

  const answer = async (subject: string, message: Msg): Promise<void> => {
    try {
      const answered = await serveHere(subject, message.data, Number(message.headers?.get(patienceHeader)));
      if (answered.length > maxBytes()) throw tooLarge("answer", answered.length);
      message.respond(answered);
    } catch (error) {
      const { code, message: text, errors } = error as SluiceError;
      const retryAfterMs = error instanceof RetryLaterError ? error.retryAfterMs : undefined;
      const wire: WireError = { code, message: text, errors, ...(retryAfterMs !== undefined && { retryAfterMs }) };
      const head = headers();
      head.set(errorHeader, "1");
      message.respond(JSON.stringify(wire), { headers: head });
    }
  };

  const tooLarge = (what: string, length: number) =>
    new SluiceError(
      what === "request" ? "VALIDATION_ERROR" : "INTERNAL_ERROR",
      `the ${what} has ${length} bytes; nodes take ${maxBytes()} of each other`,
    );

  return {
    get maxBytes() {
      return maxBytes();
    },
    async ask(integrationId, what, request, { timeoutMs }) {
      const subject = subjectOf(integrationId, what);
      if (request.length > maxBytes()) throw tooLarge("request", request.length);
      if (served.has(subject)) return serveHere(subject, request, timeoutMs);
      if (!link.connected) throw nobody();
      const head = headers();
      head.set(patienceHeader, String(timeoutMs));
      let message: Msg;
      try {
        message = await link.call(() =>
          link.connection.request(subject, request, { timeout: timeoutMs, headers: head }),
        );
      } catch (error) {
        if (isNoResponders(error)) throw nobody();
        if (error instanceof DisconnectedError || error instanceof errors.TimeoutError) throw unanswered(timeoutMs);
        throw error;
      }
      if (message.headers?.has(errorHeader)) throw errorOf(message.json<WireError>());
      return message.data;
    },
    serve(integrationId, what, serve) {
      const subject = subjectOf(integrationId, what);
      served.set(subject, [...(served.get(subject) ?? []), serve]);
      const subscription = link.connection.subscribe(subject, {
        queue: "owner",
        callback: (error, message) => {
          if (error === null) void answer(subject, message).catch(() => {});
        },
      });
      return () => {
        const others = (served.get(subject) ?? []).filter((one) => one !== serve);
        if (others.length > 0) served.set(subject, others);
        else served.delete(subject);
        if (!link.connection.isClosed()) subscription.unsubscribe();
      };
    },
  };
}

function subjectOf(integrationId: string, what: string): string {
  if (!/^[\w-]+$/.test(integrationId) || !/^[\w-]+$/.test(what))
    throw new Error(`${what} of ${integrationId}: no subject`);
  return `sluice.owner.${what}.${integrationId}`;
}

function errorOf({ code, message, errors, retryAfterMs }: WireError): SluiceError {
  if (retryAfterMs !== undefined && (code === "UNAVAILABLE" || code === "RATE_LIMITED"))
    return new RetryLaterError(message, retryAfterMs, code);
  return new SluiceError(code, message, errors);
}

function nobody(): NobodyError {
  return new NobodyError("no node carries the integration out at this moment; ask again", againMs);
}

function unanswered(timeoutMs: number): SluiceError {
  return new SluiceError(
    "TIMEOUT",
    `the integration's owner gave no answer within ${timeoutMs} ms; whether it was done is not known`,
  );
}
