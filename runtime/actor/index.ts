export type { Actor, Context, Props, Ref, StopReason, Terminated } from "./actor.ts";
export { AskError, ask } from "./ask.ts";
export { type Backoff, backoffMs } from "./backoff.ts";
export type { ActorInfo, Hooks, State } from "./member.ts";
export { type Directive, oneForOne, type SupervisorStrategy } from "./strategy.ts";
export { ActorSystem, type ActorSystemOptions } from "./system.ts";
