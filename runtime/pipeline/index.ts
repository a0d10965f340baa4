export type { Flow } from "./flow.ts";
export { PipelineRecord, type Provenance } from "./out-record.ts";
export { compilePipeline, type Pipeline, type PipelineResult, type StepFailure, StopError } from "./pipeline.ts";
export { recordId } from "./record-id.ts";
export type { StepContext, StepServices } from "./step.ts";
