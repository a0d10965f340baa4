export { type Attempt, type Delivered, deliver, type RetryPolicy, type Undelivered } from "./deliver.ts";
export { Deliverer, type Parcel } from "./deliverer.ts";
export { type Disposition, type Failure, failureOf, isStated, runError } from "./settlement.ts";
