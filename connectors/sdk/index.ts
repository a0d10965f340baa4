export { BatchBuilder, batchOf, rawLimit } from "./batch.ts";
export type * from "./connector.ts";
export { durationPattern, parseDuration } from "./duration.ts";
export { ConnectorError, type ConnectorErrorOptions, type ErrorCode, type Fault, StaleOwnerError } from "./errors.ts";
export { inferSchema } from "./infer.ts";
export type { Json, JsonObject, JsonSchema } from "./json.ts";
export { nearest } from "./nearest.ts";
export { hash32, random } from "./random.ts";
export { parseRetryAfter } from "./retry-after.ts";
