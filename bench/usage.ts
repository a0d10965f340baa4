import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** What a process has used since it began. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

const isLinux = process.platform === "linux";
/** Of /proc/PID/stat; the kernel's USER_HZ is 100 on every platform that Node runs on. */
const ticksPerSecond = 100;

/** `family`: with its children, on Linux those that have ended too (Postgres has a process a connection). */
export function usageOf(pid: number, family: boolean): Usage {
  return isLinux ? linuxUsage(pid, family) : psUsage(pid, family);
}

/** The largest resident set of the process so far; undefined where the system does not keep it. */
export function peakRssMb(pid: number): number | undefined {
  if (!isLinux) return undefined;
  const kb = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return kb === undefined ? undefined : Number(kb) / 1024;
}

function linuxUsage(pid: number, family: boolean): Usage {
  const own = statOf(pid);
  if (own === undefined) return { cpuSeconds: 0, rssMb: 0 };
  let { ticks, pages } = own;
  if (family) {
    ticks += own.endedChildren;
    for (const entry of readdirSync("/proc")) {
      const child = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
      if (child?.parent !== pid) continue;
      ticks += child.ticks + child.endedChildren;
      pages += child.pages;
    }
  }
  return { cpuSeconds: ticks / ticksPerSecond, rssMb: (pages * 4096) / 2 ** 20 };
}

/** Undefined where the process is gone. */
function statOf(pid: number) {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // After the command, which may hold anything, from the third field on: state, ppid (4), utime (14), stime, cutime,
  // cstime, rss (24).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (field: number) => Number(fields[field - 3]);
  return { parent: at(4), ticks: at(14) + at(15), endedChildren: at(16) + at(17), pages: at(24) };
}

function psUsage(pid: number, family: boolean): Usage {
  const rows = execFileSync("ps", ["-axo", "pid=,ppid=,time=,rss="], { encoding: "utf8" }).trim().split("\n");
  let cpuSeconds = 0;
  let rssMb = 0;
  for (const row of rows) {
    const [id, parent, time = "", rss] = row.trim().split(/\s+/);
    if (Number(id) !== pid && !(family && Number(parent) === pid)) continue;
    // `[hours:]minutes:seconds[.hundredths]`
    cpuSeconds += time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
    rssMb += Number(rss) / 1024;
  }
  return { cpuSeconds, rssMb };
}
