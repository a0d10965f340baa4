export { Circuit, type CircuitOptions } from "./circuit.ts";
export { type Attempt, type Delivered, deliver, type RetryPolicy, type Undelivered } from "./deliver.ts";
export type { Parcel } from "./deliverer.ts";
export { Gate } from "./gate.ts";
export { Lanes, type Order } from "./lanes.ts";
export { RateLimit } from "./rate-limit.ts";
export { type Disposition, type Failure, failureOf, isStated, runError } from "./settlement.ts";
export { within } from "./time-limit.ts";
