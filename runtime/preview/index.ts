export { recordsOf, type SourceRecord } from "./source-record.ts";
