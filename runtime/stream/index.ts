export type { Amount } from "./amount.ts";
export { Credit } from "./credit.ts";
export { fromPull, type Granted, type Pull } from "./from-pull.ts";
