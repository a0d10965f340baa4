import { STATUS_CODES } from "node:http";
import type { ErrorCode } from "../../connectors/sdk/index.ts";
import { codes, type FieldError, messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { NotThroughError } from "../services/index.ts";

/** RFC 9457, with the members of contract section 7. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly request_id: string;
}

export const problemType = "application/problem+json";

/** What a caller is told of an error. Of what is no answer to the request only that it happened, not what. */
export function toProblem(error: unknown, requestId: string): Problem & { readonly [member: string]: unknown } {
  const { code, status, detail, errors } = describe(error);
  const title = STATUS_CODES[status] ?? "Error";
  const members = error instanceof NotThroughError ? error.members : {};
  return { ...members, type: "about:blank", title, status, code, detail, errors, request_id: requestId };
}

/** What is away is told without its cause, which is for the log: anybody may be told, and it has addresses and names. */
export function hasHiddenCause(error: unknown): boolean {
  return error instanceof SluiceError && error.code === "UNAVAILABLE" && error.cause !== undefined;
}

function describe(error: unknown): Pick<Problem, "code" | "status" | "detail" | "errors"> {
  if (error instanceof NotThroughError) {
    const { code, status, message, errors } = error;
    return { code, status, detail: message, errors };
  }
  if (error instanceof SluiceError && error.code !== "INTERNAL_ERROR") {
    return { code: error.code, status: codes[error.code].http, detail: error.message, errors: error.errors };
  }
  const { name, statusCode } = error as { name?: unknown; statusCode?: unknown };
  if (name === "ConflictError") return { code: "CONFLICT", status: 409, detail: messageOf(error), errors: [] };
  // What the HTTP server itself refuses: a body too large, a type of content it does not take, a URL it cannot read.
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return {
      code: clientCodes[statusCode] ?? "VALIDATION_ERROR",
      status: statusCode,
      detail: refusals[statusCode] ?? messageOf(error),
      errors: [],
    };
  }
  const detail = "something went wrong inside the server; its log has more under the request's id";
  return { code: "INTERNAL_ERROR", status: 500, detail, errors: [] };
}

const refusals: { readonly [status: number]: string } = {
  413: "the body is larger than this server takes",
  414: "the path is longer than this server takes",
  415: "the body must be JSON, sent as application/json",
};

const clientCodes: { readonly [status: number]: ErrorCode } = {
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  412: "CONFLICT",
  429: "RATE_LIMITED",
};
