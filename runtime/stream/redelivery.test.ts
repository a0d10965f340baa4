import fc from "fast-check";
import { fromEvent, lastValueFrom, mergeMap, takeUntil } from "rxjs";
import { expect, it } from "vitest";
import { ActorSystem, oneForOne } from "../actor/index.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { Credit } from "./credit.ts";
import { fromPull } from "./from-pull.ts";
import { settleOnce } from "./settle-once.ts";

/** A log as JetStream keeps one: what was handed out and not settled is handed out again to whoever connects next. */
class Ledger {
  readonly settled: number[] = [];
  readonly #size: number;
  #handedOut = new Set<number>();
  most = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get complete(): boolean {
    return this.settled.length === this.#size;
  }

  /** A new consumer: nothing is in hand any more. */
  connect() {
    const inHand = new Set<number>();
    this.#handedOut = inHand;
    return async (): Promise<{ id: number; ack: () => void } | null> => {
      await null;
      for (let id = 0; id < this.#size; id++) {
        if (this.settled.includes(id) || inHand.has(id)) continue;
        inHand.add(id);
        this.most = Math.max(this.most, inHand.size);
        const ack = settleOnce(() => {
          // As the server does, so the ledger disregards an ack from a consumer that is gone.
          if (inHand === this.#handedOut) this.settled.push(id);
          inHand.delete(id);
        });
        return { id, ack };
      }
      return null;
    };
  }
}

it("a restart loses no unsettled batch: whatever crashes, at the end each is settled exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(30),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.constantFrom("works", "works late", "fails", "fails late", "kills the actor"), {
        minLength: 1,
        maxLength: 40,
      }),
      async (size, width, fates) => {
        const clock = new VirtualClock();
        const ledger = new Ledger(size);
        const credit = new Credit({ records: width, bytes: width });
        const system = new ActorSystem({ clock, supervision: oneForOne({ budget: { restarts: 1e9, withinMs: 1 } }) });
        const done = Promise.withResolvers<void>();
        let step = 0;
        // The last time round everything works, so that there is an end.
        const fate = () => (step < 60 ? fates[step++ % fates.length] : "works");
        const consumer = system.spawn<"crash">({
          create: () => ({
            receive() {
              throw new Error("killed");
            },
            started: (ctx) =>
              ctx.run(async (signal) => {
                // The credit outlives the incarnation, as one that a node shares out does.
                const stream = fromPull(ledger.connect(), credit, () => ({ records: 1, bytes: 1 })).pipe(
                  mergeMap(async ({ value, release }) => {
                    const what = fate();
                    if (what?.endsWith("late")) await clock.sleep(5);
                    if (what?.startsWith("fails")) throw new Error(what);
                    if (what === "kills the actor") {
                      ctx.self.tell("crash");
                      await clock.sleep(10);
                    }
                    if (!signal.aborted) value.ack();
                    release();
                  }, width),
                  takeUntil(fromEvent(signal, "abort")),
                );
                await lastValueFrom(stream, { defaultValue: undefined });
                if (ledger.complete) done.resolve();
              }),
          }),
        });
        let finished = false;
        void done.promise.then(() => {
          finished = true;
        });
        while (!finished) await clock.advance(clock.nextAt === null ? 0 : clock.nextAt - clock.now());
        expect(ledger.settled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, id) => id));
        expect(ledger.most).toBeLessThanOrEqual(width);
        expect(system.actors()).toMatchObject([{ path: consumer.path }]);
        await system.shutdown();
        expect(credit.held).toEqual({ records: 0, bytes: 0 });
      },
    ),
    { numRuns: 60 },
  );
});
