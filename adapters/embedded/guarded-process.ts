import { spawn } from "node:child_process";
import type { Socket } from "node:net";

export interface GuardedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Run as this user; only root may set it. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** What asks the program to end: `TERM`, or `INT` for Postgres (fast shutdown). */
  readonly stopSignal: "TERM" | "INT";
  /** File descriptor for its output. */
  readonly output: number;
}

export interface GuardedProcess {
  /** The program's process id. */
  readonly pid: number;
  /** Resolves with how it ended: `exit code 1`, `signal SIGKILL`. */
  readonly exited: Promise<string>;
  /** Asks it to end, kills it after `graceMs`, resolves once it is gone. */
  stop(graceMs: number): Promise<void>;
}

/**
 * A program must not outlive the node, which may be killed at any moment. So a shell stands between them that holds a
 * pipe from the node: the system closes it when the node is gone, and the shell then ends the program. Both are in a
 * process group of their own, out of reach of the terminal's Ctrl-C: the node drains before it stops its servers.
 * The shell's first line on the pipe is the program's process id.
 */
const GUARD = `
signal=$1; shift
"$@" 3<&- &
program=$!
( read -r _ <&3; kill -s "$signal" "$program" ) &
watcher=$!
echo "$program" >&3
exec 3<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

export function startGuarded(command: GuardedCommand): Promise<GuardedProcess> {
  const { file, args, cwd, env, user, stopSignal, output } = command;
  const child = spawn("/bin/sh", ["-c", GUARD, "sluice-guard", stopSignal, file, ...args], {
    cwd,
    detached: true,
    env: env ?? process.env,
    stdio: ["ignore", output, output, "pipe"],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  const pipe = child.stdio[3] as Socket;
  pipe.on("error", () => undefined); // the shell is gone; `exit` tells

  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      pipe.destroy();
      resolve(describeEnd(code, signal));
    });
  });

  const stop = async (graceMs: number): Promise<void> => {
    pipe.end();
    const timer = setTimeout(() => killGroup(child.pid), graceMs);
    await exited;
    clearTimeout(timer);
  };

  return new Promise((resolve, reject) => {
    child.once("error", reject);
    pipe.once("data", (line) => resolve({ pid: Number(line.toString()), exited, stop }));
    exited.then((end) => reject(new Error(`${file} ended before it began (${end})`)));
  });
}

/** A shell reports a program that died of signal N as 128 + N. */
function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `signal ${signal}`;
  return code !== null && code > 128 ? `signal ${code - 128}` : `exit code ${code}`;
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
