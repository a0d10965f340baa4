export { type Preview, type PreviewServices, previewRecords, type RecordPreview } from "./preview.ts";
export { sampleSource } from "./sample.ts";
export { recordsOf, type SourceRecord } from "./source-record.ts";
export type { ShownRecord, ShownRecords, Way } from "./trace.ts";
