import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Whether a process with this id exists, ours or not. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The command line of a process, or null when there is none. */
export function commandOf(pid: number): string | null {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return ps(pid, "command=");
  } catch {
    return null;
  }
}

/** When a process started, in milliseconds since the epoch, to the second; null when it is not known. */
export function startedAt(pid: number): number | null {
  try {
    if (process.platform !== "linux") return Date.parse(ps(pid, "lstart=")) || null;
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
    const ticks = statFields(pid)[19]; // field 22 of proc(5), in hundredths of a second
    return boot === undefined || ticks === undefined ? null : Number(boot) * 1000 + Number(ticks) * 10;
  } catch {
    return null;
  }
}

/** Sends SIGTERM, after `graceMs` SIGKILL, and resolves once the process is gone. */
export async function endProcess(pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  trySignal(pid, signal);
  const deadline = Date.now() + graceMs;
  for (let killed = false; isAlive(pid); ) {
    if (!killed && Date.now() > deadline) {
      killed = true;
      trySignal(pid, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A zombie has ended; it only waits for its parent to ask. */
function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return statFields(pid)[0] === "Z";
  } catch {
    return false;
  }
}

/** Fields of /proc/PID/stat from the third (state) on; the second is a name that may hold anything but a last ")". */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function ps(pid: number, format: string): string {
  const env = { ...process.env, LC_ALL: "C" };
  return execFileSync("ps", ["-ww", "-o", format, "-p", String(pid)], { encoding: "utf8", env }).trim();
}
