import { durationPattern, type ErrorCode, type JsonSchema } from "../sdk/index.ts";

export interface BlackholeConfig {
  readonly latency?: string | number;
  readonly fail?: { readonly ratio: number; readonly code?: ErrorCode };
  readonly hang_after?: number;
  readonly keep?: number;
}

const codes: readonly ErrorCode[] = [
  "VALIDATION_ERROR",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "CONFLICT",
  "BUSINESS_RULE",
  "RATE_LIMITED",
  "INTERNAL_ERROR",
  "UNAVAILABLE",
  "TIMEOUT",
];

export const blackholeConfig: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  properties: {
    latency: {
      anyOf: [
        { type: "string", pattern: durationPattern },
        { type: "integer", minimum: 0 },
      ],
      description: "How long each write takes: a duration such as 20ms, or milliseconds.",
    },
    fail: {
      type: "object",
      additionalProperties: false,
      required: ["ratio"],
      description: "Records that fail on purpose.",
      properties: {
        ratio: { type: "number", minimum: 0, maximum: 1, description: "Share of records that fail." },
        code: { enum: codes, default: "VALIDATION_ERROR", description: "The code they fail with." },
      },
    },
    hang_after: {
      type: "integer",
      minimum: 0,
      description: "Records after which a write never answers until it is aborted.",
    },
    keep: {
      type: "integer",
      minimum: 0,
      maximum: 100_000,
      default: 0,
      description: "How many of the last records to keep in memory for looking at.",
    },
  },
};
