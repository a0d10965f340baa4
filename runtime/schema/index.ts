export { checkFit, type Fit, type FitInput } from "./check-fit.ts";
export { type Compatibility, compatibility } from "./compatibility.ts";
export { type ContractFailure, type ContractResult, describeDrift, StreamContract } from "./contract.ts";
export type { Schema } from "./keywords.ts";
export { inferSchema, learn } from "./learn.ts";
