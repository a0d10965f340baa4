export { groupKey, type StoredGroup } from "./aggregate/index.ts";
export type { Flow } from "./flow.ts";
export { type LookUpsOptions, type OpenLookUps, openLookUps } from "./look-ups.ts";
export { PipelineRecord, type Provenance } from "./out-record.ts";
export { Pipeline, type PipelineContext, type StepFailure, StopError } from "./pipeline.ts";
export { isPure, isRepeatable, stepFailureOf, throughPure } from "./pure.ts";
export { placeIn, recordId } from "./record-id.ts";
export type { StepContext, StepOutput, StepServices } from "./step.ts";
export { addStepCounts, StepTally } from "./step-tally.ts";
