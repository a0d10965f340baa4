export { type CodeInfo, codes } from "./codes.ts";
export { type FieldError, messageOf, SluiceError } from "./error.ts";
export { nearest } from "./nearest.ts";
export { NobodyError } from "./nobody.ts";
export { NotReadyError } from "./not-ready.ts";
export { formatPath, joinPath, type Segment } from "./path.ts";
export { RetryLaterError } from "./retry-later.ts";
export { StaleOwnerError } from "./stale-owner.ts";
export { unknownName } from "./unknown-name.ts";
