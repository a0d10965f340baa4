export type { Amount } from "./amount.ts";
export { consume } from "./consume.ts";
export { Credit } from "./credit.ts";
export { fromPull, type Granted, type Pull } from "./from-pull.ts";
export { settleOnce } from "./settle-once.ts";
