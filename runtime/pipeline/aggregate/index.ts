export { Aggregate, type AggregateStep, type ClosedWindow, plainResult, type StoredGroup } from "./aggregate.ts";
