import type { ErrorCode, Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { SluiceError } from "../../runtime/errors/index.ts";
import type { KeptAnswer } from "../../runtime/ports/idempotency.ts";
import { NotThroughError } from "../services/index.ts";

/** A failure that did something, as it is kept under an idempotency-key; throws any other. */
export function toBeKept(error: unknown): KeptAnswer {
  if (!(error instanceof NotThroughError) || error.didNothing) throw error;
  const { code, status, message, errors, members } = error;
  return { status, headers: {}, body: { code, message, errors, members } as unknown as Json };
}

/** What was answered; throws it where it was a failure. */
export function answeredAgain({ status, body }: KeptAnswer): JsonObject {
  if (status < 400) return body as JsonObject;
  const { code, message, errors, members } = body as unknown as {
    readonly code: ErrorCode;
    readonly message: string;
    readonly errors: SluiceError["errors"];
    readonly members: JsonObject;
  };
  throw new NotThroughError(code, status, message, errors, members);
}
