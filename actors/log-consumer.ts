import type { Actor, Context } from "../runtime/actor/index.ts";
import type { Log, LogConsumer, LogMessage } from "../runtime/ports/log.ts";
import type { Outcome, RunLedger } from "./ledger.ts";
import { isSettled, type MessageKey, messageKey } from "./settled-keys.ts";
import { isFullRead } from "./source-name.ts";
import { untilAborted } from "./until-aborted.ts";
import { type ConsumerVitals, window } from "./vitals.ts";

/** What is done with messages. */
export interface Processor {
  /** Messages come in the log's order, also after a crash. */
  readonly ordered?: boolean;
  /** Resolves when each record of the batch is safe further on, or given up. */
  process(message: LogMessage, signal: AbortSignal): Promise<Outcome>;
  /** What became of a message has been settled. */
  settled?(outcome: Outcome): void;
  /** Work beside the log's; no more is taken in hand after `stopping`. Tells when it is through with what there was. */
  beside?(stopping: AbortSignal, through: () => void): Promise<void>;
  /** Whether the run's end must wait for that work. */
  unfinished?(): boolean;
  /** Nothing more is coming for now: write what has gathered. */
  flush(): void;
  /** The run's end has been reached, and all before it is settled and acknowledged. */
  end(message: LogMessage, signal: AbortSignal): Promise<Outcome>;
  close(): Promise<void>;
}

export interface LogConsumerOptions {
  /** `steps`, or a destination's id; the consumer's name in the log too. */
  readonly name: string;
  readonly log: Log;
  readonly subjects: readonly string[];
  readonly ledger: RunLedger;
  readonly open: (signal: AbortSignal) => Promise<Processor>;
  readonly vitals: Pick<ConsumerVitals, "credit">;
  /** A message has left the log's backlog. */
  readonly taken: (message: LogMessage) => void;
  /** The records of a message are not there any more, for this reason. */
  readonly gone: (reason: string) => void;
  /** The run's end is settled and committed. */
  readonly done: () => void;
}

/**
 * Settled messages that wait for their commit, and dead letters in memory; keys, whose commit takes longest, are what a
 * crash writes again.
 */
const unsettledMax = { messages: 512, deadLetterBytes: 32 * 1024 * 1024, keys: 10_000 };
/** Messages a pull asks for at least. */
const leastPull = 4;
const heartbeatMs = 1000;
const pollMs = 20;
const dropped: Outcome = { count: () => {}, deadLetters: [], accounted: 0 };
/** How long a stop waits for what is in hand. */
const graceMs = 3000;

/**
 * Feeds subjects of a log to a processor, by credit (invariant 4): it pulls no more than it may hold, and what it
 * holds it settles through the run's ledger. A crash costs what is in hand, which the log delivers again.
 */
export class LogConsumerActor implements Actor<never> {
  readonly #options: LogConsumerOptions;
  readonly #inHand = new Map<MessageKey, LogMessage>();
  #bytesInHand = 0;
  #largest = 64 * 1024;
  readonly #waiters = new Set<() => void>();
  #processor: Processor | undefined;
  #consumer: LogConsumer | undefined;
  #cancelGrace: (() => void) | undefined;

  constructor(options: LogConsumerOptions) {
    this.#options = options;
  }

  started(ctx: Context<never>): void {
    // A stop ends the pulling at once; what is in hand is finished, for as long as the grace lasts.
    const work = new AbortController();
    ctx.signal.addEventListener("abort", () => {
      this.#processor?.flush();
      this.#cancelGrace = ctx.clock.after(graceMs, () => work.abort(ctx.signal.reason));
    });
    ctx.run(async (signal) => {
      const { open, log, name, subjects, ledger, done } = this.#options;
      if (ledger.consumer(name).progress.done) return done();
      this.#processor = await open(work.signal);
      this.#consumer = await untilAborted(
        signal,
        log.consumer(name, subjects, { again: this.#processor.ordered === true }),
      );
      ctx.run((signal) => this.#heartbeat(ctx, signal));
      ctx.run(async (signal) => this.#processor?.beside?.(signal, () => this.#wake()));
      await this.#consume(ctx, this.#consumer, this.#processor, signal, work.signal);
    });
  }

  receive(): void {}

  async stopped(): Promise<void> {
    this.#cancelGrace?.();
    this.#options.vitals.credit = window.messages;
    await this.#consumer?.close();
    await this.#processor?.close();
  }

  async #consume(
    ctx: Context<never>,
    consumer: LogConsumer,
    processor: Processor,
    signal: AbortSignal,
    work: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const limit = this.#demand();
      if (limit === 0) {
        // Nothing more comes before some of this is written.
        processor.flush();
        await this.#change(ctx);
        continue;
      }
      for await (const message of consumer.pull(limit, signal)) this.#accept(message, ctx, processor, work);
    }
  }

  #accept(message: LogMessage, ctx: Context<never>, processor: Processor, work: AbortSignal): void {
    const { ledger, name } = this.#options;
    const key = messageKey(message);
    const consumer = ledger.consumer(name);
    const open = consumer.uncommitted.get(key) ?? this.#inHand.get(key)?.sequence;
    if (open === message.sequence) message.working();
    else if (open !== undefined || isSettled(consumer, message)) {
      // Only its ack was lost. Or a second copy: the other one stands for it until its commit, whatever happens.
      message.ack().catch(() => {});
      // A copy took room of its own.
      if (message.deliveries === 1) this.#options.taken(message);
    } else if (
      message.header.runId !== ledger.runId &&
      (message.header.kind !== "records" || isFullRead(message.header))
    ) {
      // Left by a run that was given up. What it read in full, this run reads anew; anything else is settled in this one.
      ledger.settle(name, message, dropped);
    } else if (message.header.kind === "end" && this.#inHand.values().some(({ header }) => header.kind === "end")) {
      // Steps that crashed at the run's end came to it by another way. Of two ends, each would wait for the other.
      message.ack().catch(() => {});
      if (message.deliveries === 1) this.#options.taken(message);
    } else {
      this.#inHand.set(key, message);
      this.#bytesInHand += message.bytes;
      // What is in hand has its own bound: a destination that takes long for each of many writes finds them here.
      this.#options.taken(message);
      this.#options.vitals.credit = window.messages - this.#inHand.size;
      // Goes down again after a large one, or the rest would be taken one at a time.
      this.#largest = Math.max(message.bytes, this.#largest * 0.9);
      ctx.run(async () => {
        if (message.header.kind === "end") await this.#end(message, processor, ctx, work);
        else {
          const outcome = await processor.process(message, work);
          ledger.settle(name, message, outcome);
          processor.settled?.(outcome);
          if (message.gone !== undefined) this.#options.gone(message.gone);
        }
        this.#release(message);
      });
    }
  }

  /** How many messages may be pulled now. */
  #demand(): number {
    const { messages, deadLetterBytes, keys } = this.#options.ledger.unsettled;
    if (messages >= unsettledMax.messages || deadLetterBytes >= unsettledMax.deadLetterBytes) return 0;
    if (keys >= unsettledMax.keys) return 0;
    const byBytes = Math.floor((window.bytes - this.#bytesInHand) / this.#largest);
    const byMessages = window.messages - this.#inHand.size;
    // A pull is a request of its own: one for each message that is released would cost more than the message.
    if (byMessages < leastPull) return 0;
    return this.#inHand.size === 0
      ? Math.max(1, Math.min(byMessages, byBytes))
      : Math.max(0, Math.min(byMessages, byBytes));
  }

  #release(message: LogMessage): void {
    this.#inHand.delete(messageKey(message));
    this.#bytesInHand -= message.bytes;
    this.#options.vitals.credit = window.messages - this.#inHand.size;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  /** Resolves at the next change of what is in hand, or after a moment. */
  #change(ctx: Context<never>, ms = pollMs): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#waiters.delete(wake);
        resolve();
      };
      const cancel = ctx.clock.after(ms, wake);
      this.#waiters.add(wake);
    });
  }

  /**
   * The end waits until all before it is settled, committed and acknowledged. The server is asked, not this memory: a
   * message that was lost on its way here is delivered again, and must not find the run closed.
   */
  async #end(message: LogMessage, processor: Processor, ctx: Context<never>, signal: AbortSignal): Promise<void> {
    const { ledger, log, name, done } = this.#options;
    const outstanding = async () => {
      if (this.#inHand.size > 1 || processor.unfinished?.()) return true;
      await untilAborted(signal, ledger.flushed());
      const { consumers } = await untilAborted(signal, log.stats());
      return (consumers[name]?.unacknowledged ?? 0) > 1;
    };
    while (await outstanding()) {
      signal.throwIfAborted();
      processor.flush();
      // What is in hand says so itself; what waits for its time has time.
      await this.#change(ctx, this.#inHand.size > 1 || processor.unfinished?.() ? heartbeatMs : pollMs);
    }
    ledger.settle(name, message, await processor.end(message, signal));
    await untilAborted(signal, ledger.flushed());
    done();
  }

  /** The server is told that what is in hand is worked on, so that it does not deliver it again. */
  async #heartbeat(ctx: Context<never>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await ctx.clock.sleep(heartbeatMs, signal).catch(() => {});
      for (const message of this.#inHand.values()) message.working();
      this.#options.ledger.working(this.#options.name);
    }
  }
}
