export { Aggregate, type AggregateStep, type ClosedWindow, plainResult, type StoredGroup } from "./aggregate.ts";
export { groupKey } from "./group-key.ts";
