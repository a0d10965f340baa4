export { PipelineRecord, type Provenance } from "./out-record.ts";
export {
  compilePipeline,
  type Flow,
  type Pipeline,
  type PipelineResult,
  type StepFailure,
  StopError,
} from "./pipeline.ts";
export { recordId } from "./record-id.ts";
