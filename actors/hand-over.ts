import type { Clock } from "../runtime/ports/clock.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import { untilAborted } from "./until-aborted.ts";

/** Whether a node has nothing of an integration in hand any more, asked of it by the one that takes it over. */
export const handOver = "hand-over";

/** What a stop takes at most: the grace of what is in hand, the last commit, and some. */
const patienceMs = 6_000;
/** A node that does not answer for so long is asked again, for as long as it counts as alive. */
const answerMs = 1_000;
const againMs = 50;

/**
 * Resolves when no other node has anything of the integration in hand: what goes over without a crash is delivered once.
 * A courtesy, given up after a while: what keeps two owners apart is the epoch (invariant 5).
 */
export async function untilHandedOver(
  cluster: Pick<Cluster, "ask">,
  integrationId: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const end = clock.now() + patienceMs; clock.now() < end; ) {
    const answers = await untilAborted(signal, cluster.ask(handOver, integrationId, answerMs));
    if (answers.every((free) => free === true)) return;
    await clock.sleep(againMs, signal);
  }
}
