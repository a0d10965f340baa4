import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SluiceError } from "../../runtime/errors/index.ts";
import { traceparentOf } from "../../runtime/record/index.ts";
import type { RequestLimits } from "../auth/index.ts";
import type { HookReceiver } from "../hooks/index.ts";
import { holdBodies } from "./held-bodies.ts";

/** As fastify knows it: whoever calls it proves itself by the integration's trigger, not by a token. */
export const hookUrl = "/v1/hooks/:integration";
export const hookPath = "/v1/hooks/{integration}";

type HookRouteRequest = FastifyRequest<{ Params: { integration: string }; Querystring: Record<string, string> }>;

interface HookRoutesOptions {
  readonly receiver: Pick<HookReceiver, "exists" | "receive" | "confirm">;
  readonly limits: Pick<RequestLimits, "refused" | "isSpent">;
  /** Bytes of bodies that are held at once, of all requests together. */
  readonly heldBytes?: number;
}

/**
 * Inbound webhooks, with their bodies as they came. Nothing of a body is read for a name that does not exist. Whoever
 * asks for such names or does not prove itself counts as who asks the API without a token.
 */
export function addHookRoutes(
  app: FastifyInstance,
  { receiver, limits, heldBytes = 256 * 1024 * 1024 }: HookRoutesOptions,
): void {
  const hold = holdBodies(heldBytes);
  const counted = <T>({ ip }: FastifyRequest, work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      if (error instanceof SluiceError && (error.code === "NOT_FOUND" || error.code === "UNAUTHORIZED"))
        limits.refused(ip);
      throw error;
    });
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addHook("onRequest", (request) =>
      counted(request, receiver.exists((request as HookRouteRequest).params.integration, limits.isSpent(request.ip))),
    );
    // Called back at once: whoever reads the body begins to in the same turn.
    scope.addHook("preParsing", (request, reply, payload, done) => {
      hold((request as HookRouteRequest).params.integration, payload as Readable, reply.raw);
      done(null, payload);
    });
    scope.addContentTypeParser("*", { parseAs: "buffer" }, async (_: FastifyRequest, body: Buffer) => body);
    scope.post(hookUrl, async (request: HookRouteRequest, reply) => {
      const traceparent = traceparentOf(request.headers.traceparent);
      const correlation = { requestId: request.id, ...(traceparent && { traceparent }) };
      const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      const receipt = await counted(
        request,
        receiver.receive(request.params.integration, { headers: request.headers, body }, correlation),
      );
      if (typeof receipt === "object") return text(reply, receipt.text);
      return reply.status(receipt === "accepted" ? 202 : 200).send({ status: receipt });
    });
    // Meta's webhooks, and others': the token is the trigger's `verify_token`.
    scope.get(hookUrl, async (request: HookRouteRequest, reply) => {
      const { "hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge } = request.query;
      if (
        mode !== "subscribe" ||
        typeof token !== "string" ||
        typeof challenge !== "string" ||
        challenge.length > 1_000
      )
        throw new SluiceError("VALIDATION_ERROR", "hub.mode=subscribe, hub.verify_token and hub.challenge are needed");
      await counted(request, receiver.confirm(request.params.integration, token));
      return text(reply, challenge);
    });
    // CloudEvents, "HTTP 1.1 Web Hooks", section 4: whether events may be sent here at all. Where pages of other origins
    // may call, what they are told is beside it.
    const config = { cors: { preflightContinue: true } };
    scope.options(hookUrl, { config }, async (request: HookRouteRequest, reply) => {
      const origin = request.headers["webhook-request-origin"];
      reply.header("allow", "POST, GET, OPTIONS");
      if (typeof origin === "string" && /^[\w.:-]{1,255}$/.test(origin))
        reply.headers({ "webhook-allowed-origin": origin, "webhook-allowed-rate": "*" });
      return reply.status(200).send();
    });
  });
}

function text(reply: FastifyReply, text: string): FastifyReply {
  return reply.status(200).type("text/plain; charset=utf-8").serializer(String).send(text);
}
