export { Circuit, type CircuitOptions } from "./circuit.ts";
export { type Attempt, type Delivered, deliver, type RetryPolicy, type Undelivered } from "./deliver.ts";
export { Deliverer, type Parcel } from "./deliverer.ts";
export { Gate } from "./gate.ts";
export { type Disposition, type Failure, failureOf, isStated, runError } from "./settlement.ts";
