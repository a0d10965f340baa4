export { backoffMs, type RetryPolicy } from "./backoff.ts";
export { type Attempt, type Delivered, deliver, type Undelivered } from "./deliver.ts";
export { Deliverer, type Parcel } from "./deliverer.ts";
export { type Disposition, type Failure, failureOf, runError, settlement } from "./settlement.ts";
