export { createValidator } from "./validator.ts";
