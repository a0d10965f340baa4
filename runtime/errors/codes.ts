import type { ErrorCode, Fault } from "../../connectors/sdk/index.ts";

export interface CodeInfo {
  readonly http: number;
  /** Name of the gRPC status. */
  readonly grpc: string;
  /** Whose fault an outgoing call that ends so is, unless the connector says otherwise. */
  readonly fault: Fault;
}

/** The error taxonomy of contract section 8, registered once. */
export const codes: { readonly [C in ErrorCode]: CodeInfo } = {
  VALIDATION_ERROR: { http: 400, grpc: "INVALID_ARGUMENT", fault: "record" },
  UNAUTHORIZED: { http: 401, grpc: "UNAUTHENTICATED", fault: "destination" },
  FORBIDDEN: { http: 403, grpc: "PERMISSION_DENIED", fault: "destination" },
  NOT_FOUND: { http: 404, grpc: "NOT_FOUND", fault: "record" },
  CONFLICT: { http: 409, grpc: "ALREADY_EXISTS", fault: "record" },
  BUSINESS_RULE: { http: 422, grpc: "FAILED_PRECONDITION", fault: "record" },
  RATE_LIMITED: { http: 429, grpc: "RESOURCE_EXHAUSTED", fault: "transient" },
  INTERNAL_ERROR: { http: 500, grpc: "INTERNAL", fault: "transient" },
  UNAVAILABLE: { http: 503, grpc: "UNAVAILABLE", fault: "transient" },
  TIMEOUT: { http: 504, grpc: "DEADLINE_EXCEEDED", fault: "transient" },
};
