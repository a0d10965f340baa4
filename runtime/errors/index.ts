export { type CodeInfo, codes } from "./codes.ts";
export { type FieldError, messageOf, SluiceError } from "./error.ts";
