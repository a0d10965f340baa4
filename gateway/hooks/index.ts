export { HookReceiver, type HookReceiverOptions } from "./receiver.ts";
