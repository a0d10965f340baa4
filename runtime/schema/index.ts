export { checkFit, type Fit } from "./check-fit.ts";
export { compatibility } from "./compatibility.ts";
export { type ContractResult, StreamContract } from "./contract.ts";
export { inferSchema } from "./learn.ts";
export { resolveReference } from "./reference.ts";
