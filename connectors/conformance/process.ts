import { readFileSync } from "node:fs";
import { demand, type Figures, type Subject } from "./check.ts";

const restMs = 500;
const restPatienceMs = { quick: 5_000, usual: 15_000 };
/** What a process at rest may take in that time: timers, and the collection of garbage. */
const restCpuSeconds = 0.02;
/** How long memory is looked at: while it warms up, and as long again. */
const warmMs = { quick: 500, usual: 3_000 };
const lookMs = 50;
/** A heap that is collected by its own lights grows for a while. */
const mostGrowthMb = { quick: 256, usual: 128 };
/** Each half has so many batches at least, however busy the machine is, within reason. */
const leastBatches = 15;
const longestMs = { quick: 5_000, usual: 30_000 };

/** Demands that the plugin's process comes to rest. Nothing is asked where the system does not tell. */
export async function quiet({ plugin, quick }: Subject, when: string): Promise<void> {
  const child = plugin?.process;
  const patienceMs = quick ? restPatienceMs.quick : restPatienceMs.usual;
  if (child === undefined || cpuSeconds(child.pid) === undefined) return;
  for (const begin = performance.now(); performance.now() - begin < patienceMs; ) {
    const before = cpuSeconds(child.pid) ?? 0;
    await new Promise((resolve) => setTimeout(resolve, restMs));
    if ((cpuSeconds(child.pid) ?? 0) - before <= restCpuSeconds) return;
  }
  demand(false, `${when} it goes on working: it took processor time for ${patienceMs / 1000} s`);
}

/** Works until it is enough, and demands that the second half takes no more memory than the first. */
export async function flat(
  { plugin, quick }: Subject,
  work: (enough: () => boolean) => Promise<void>,
): Promise<Figures> {
  const { pid } = plugin!.process!;
  const pace = quick ? "quick" : "usual";
  let before = 0;
  let after = 0;
  let half = 0;
  let batches = 0;
  const begin = performance.now();
  const look = setInterval(() => {
    const bytes = residentBytes(pid) ?? 0;
    if (half === 0) before = Math.max(before, bytes);
    else after = Math.max(after, bytes);
  }, lookMs);
  /** Whether a half that began then, with so many batches before it, is over. */
  const isOver = (since: number, earlier: number) => {
    const elapsed = performance.now() - since;
    return elapsed > longestMs[pace] || (elapsed > warmMs[pace] && batches - earlier >= leastBatches);
  };
  let batchesBefore = 0;
  const enough = () => {
    batches++;
    if (half > 0) return isOver(half, batchesBefore);
    if (isOver(begin, 0)) {
      half = performance.now();
      batchesBefore = batches;
    }
    return false;
  };
  try {
    await work(enough);
  } finally {
    clearInterval(look);
  }
  const seconds = Math.round(performance.now() - begin) / 1000;
  const grown = Math.round((after - before) / 1e6);
  demand(grown <= mostGrowthMb[pace], `it took ${grown} MB more in the second half of ${seconds} s than in the first`);
  return { seconds, memory_mb: Math.round(after / 1e6), growth_mb: Math.max(0, grown) };
}

/** Of /proc; undefined where the system has none. The kernel's USER_HZ is 100 wherever Node runs. */
function cpuSeconds(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

function residentBytes(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
  } catch {
    return undefined;
  }
}
