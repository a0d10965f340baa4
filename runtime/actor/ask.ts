import type { Ref } from "./actor.ts";
import { memberOf } from "./member.ts";

/** No answer in time, or the actor asked has stopped. */
export class AskError extends Error {
  override readonly name = "AskError";
}

/** Tells a message that carries a `reply`, and resolves with the first answer. */
export function ask<M, R>(ref: Ref<M>, build: (reply: (answer: R) => void) => M, timeoutMs: number): Promise<R> {
  const member = memberOf(ref);
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      cancel();
      unwatch();
      reject(new AskError(`${ref.path} ${why}`));
    };
    const cancel = member.environment.clock.after(timeoutMs, () => fail(`gave no answer within ${timeoutMs} ms`));
    const reply = (answer: R) => {
      cancel();
      unwatch();
      resolve(answer);
    };
    ref.tell(build(reply));
    const unwatch = member.onTerminated(() => fail("has stopped"));
  });
}
