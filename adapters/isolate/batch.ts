import type { Entry, Exit, World } from "./isolates.ts";

export interface Batch {
  readonly text: string;
  readonly kind: string;
  readonly sent: number;
  /** A JSON array each. */
  readonly lines: readonly string[];
}

export interface Host {
  readonly timeMs: number;
  /** The scope's isolate; a new one after `renew`. */
  world(): World;
  renew(): void;
  /** Ends an entry that does not end by itself. */
  watch(world: World, entry: Promise<Exit>): Promise<Exit>;
  readonly cancelled: () => boolean;
}

const overTime = 't"the script took longer than';
const overMemory = 't"the script used more memory than';

/**
 * Evaluates a batch in as few entries into the isolate as it takes, and gives a line for each call: as the harness
 * does, or `t` and a message.
 *
 * Only a call that is over the limit by itself fails. The one in hand when an entry ends by force is to blame when it
 * had the time (half of it, at least) or the isolate to itself; else it is tried again, as the first of the next entry,
 * in a new isolate: what came before it may have used up the limit. Calls behind one that ran out of time get a
 * quarter of it, so that a script that never ends for any record does not hold up its integration for long.
 */
export async function evaluateBatch(
  batch: Batch,
  limits: { timeMs: number; memoryBytes: number },
  host: Host,
): Promise<string> {
  const { lines, ...script } = batch;
  let answer = "";
  let next = 0;
  /** Calls of the next entry at most: what was lost is made again without the one that lost it. */
  let end = lines.length;
  let step = lines.length;
  let timeMs = limits.timeMs;
  const fail = (why: string) => {
    answer += `${why}"\n`;
    next++;
  };
  while (next < lines.length && !host.cancelled()) {
    const world = host.world();
    const wasFresh = world.fresh;
    const stop = Math.min(end, next + step);
    const entry: Entry = { ...script, lines: lines.slice(next, stop).join("\n"), count: stop - next, timeMs };
    const exit = await host.watch(world, world.run(entry));
    if (exit.state === "does not compile") {
      const line = `e${JSON.stringify(exit.message)}\n`;
      return answer + line.repeat(lines.length - next);
    }
    if (exit.state !== "finished") host.renew();
    const at = next + exit.done;
    if (exit.state !== "out of memory") {
      answer += exit.answer;
      next = at;
      if (exit.state === "timed out" && at < stop && (exit.done === 0 || exit.ranMs >= timeMs / 2)) {
        fail(`${overTime} ${timeMs} ms`);
        timeMs = Math.ceil(limits.timeMs / 4);
      }
      if (next >= end) end = lines.length;
    } else if (at === stop) {
      // Afterwards, in a promise's reaction: one by one it shows whose.
      if (stop - next > 1) step = 1;
      else if (wasFresh) fail(`${overMemory} ${limits.memoryBytes >> 20} MB`);
    } else if (at > next) {
      end = at;
    } else if (wasFresh) {
      fail(`${overMemory} ${limits.memoryBytes >> 20} MB`);
      end = lines.length;
    }
  }
  return answer;
}
