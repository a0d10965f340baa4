import { Queue } from "./queue.ts";

export type SystemMessage =
  | { readonly type: "start" }
  | { readonly type: "restart"; readonly error: unknown; readonly delayMs: number }
  | { readonly type: "stop" }
  | { readonly type: "terminated"; readonly notify: () => void | Promise<void> };

/** Stands among the user's messages: all before it are handled, then the actor drains its children and stops. */
export const drainMark = Symbol("drain");

/** Two lanes: what the system says comes before what users say. Unbounded; data moves by credit, not by mail. */
export class Mailbox<M> {
  readonly system = new Queue<SystemMessage>();
  readonly user = new Queue<M | typeof drainMark>();
}
