import { readFileSync } from "node:fs";

/** How often a program's memory is looked at, and how often while it is about to pass its limit. */
const lookMs = 250;
const soonMs = 50;

/** Calls `over` once a program, with what it has started, takes more than `limit` bytes. Ends with what is returned. */
export function watchMemory(pidOf: () => number | undefined, limit: number, over: (bytes: number) => void): () => void {
  let before = { bytes: 0, at: performance.now() };
  let timer: NodeJS.Timeout;
  const look = () => {
    const pid = pidOf();
    const now = { bytes: pid === undefined ? 0 : memoryOf(pid, limit), at: performance.now() };
    if (now.bytes > limit) return over(now.bytes);
    timer = setTimeout(look, nextLookMs(limit, before, now)).unref();
    before = now;
  };
  timer = setTimeout(look, lookMs).unref();
  return () => clearTimeout(timer);
}

interface Look {
  readonly bytes: number;
  /** In milliseconds, of a clock that does not go back. */
  readonly at: number;
}

/** Twice before the limit is reached, if it grows on as it did. */
export function nextLookMs(limit: number, before: Look, now: Look): number {
  const grown = now.bytes - before.bytes;
  if (grown <= 0) return lookMs;
  const left = ((limit - now.bytes) / grown) * (now.at - before.at);
  return Math.min(lookMs, Math.max(soonMs, left / 2));
}

/** Of a process and of what it has started. What they share counts once, which is looked at where it decides. */
function memoryOf(pid: number, limit: number): number {
  const pids = familyOf(pid);
  const sum = (of: (pid: number) => number) => pids.reduce((total, each) => total + of(each), 0);
  const resident = sum(residentBytes);
  return resident > limit && pids.length > 1 ? sum((each) => shareBytes(each) ?? residentBytes(each)) : resident;
}

function familyOf(pid: number): number[] {
  const pids = [pid];
  for (const each of pids) {
    const children = readOf(each, `task/${each}/children`).split(" ");
    pids.push(...children.filter((text) => text !== "").map(Number));
  }
  return pids;
}

/** 0 where the system does not tell. */
const residentBytes = (pid: number): number => kibibytesIn(readOf(pid, "status"), /^VmRSS:\s+(\d+)/m) ?? 0;
const shareBytes = (pid: number): number | undefined => kibibytesIn(readOf(pid, "smaps_rollup"), /^Pss:\s+(\d+)/m);

function kibibytesIn(text: string, line: RegExp): number | undefined {
  const [, kibibytes] = line.exec(text) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Empty where there is no such process, or no /proc. */
function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
