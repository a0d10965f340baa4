export { decodeHooks, encodeHooks, type HookRecord, hookAsk, Outcome } from "./records.ts";
export { SeenIds } from "./seen-ids.ts";
