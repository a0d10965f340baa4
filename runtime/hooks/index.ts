export { hookId, rivalId } from "./ids.ts";
export { decodeHooks, encodeHooks, type HookRecord, hookAsk, Outcome, sizeOf } from "./records.ts";
export { SeenIds } from "./seen-ids.ts";
