export type * from "./connector.ts";
export { ConnectorError, type ConnectorErrorOptions, type ErrorCode, type Fault } from "./errors.ts";
export type { Json, JsonObject, JsonSchema } from "./json.ts";
