import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";

export interface GuardedCommand {
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A program whose shell outlives the node for long enough to end it. */
export interface Guarded {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Its own process id; undefined before it has begun, and where it did not. */
  readonly pid: number | undefined;
  /** How it ended: `exit code 1`, `signal SIGKILL`. Whatever it started in its group is gone then, too. */
  readonly exited: Promise<string>;
  /** Whether what it had started was there yet when it ended. */
  readonly leftProcesses: boolean;
  /** Asks it to end. */
  terminate(): void;
  /** Ends it, and whatever it started in its group. */
  kill(): void;
}

/**
 * A plugin ends when its stdin closes; one that does not must not outlive the node either, which may be killed at any
 * moment. So a shell stands between them, and leads their process group, out of reach of the terminal's Ctrl-C. It holds
 * a pipe from the node: where the system closes that, the shell waits as long as a stop may take, and kills the group.
 * Its first line on the pipe is the program's process id.
 */
const guard = `
exec 4<&0
"$@" <&4 3<&- 4<&- &
program=$!
exec 4<&-
( read -r _ <&3; sleep 5; kill -s KILL -- -$$ ) >/dev/null 2>&1 </dev/null &
watcher=$!
echo "$program" >&3
exec 3<&- </dev/null >/dev/null 2>&1
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
wait "$watcher"
exit "$status"
`;

export function startGuarded({ command, cwd, env }: GuardedCommand): Guarded {
  const child = spawn("/bin/sh", ["-c", guard, "sluice-plugin", ...command], {
    ...(cwd !== undefined && { cwd }),
    env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  });
  const { stdin, stdout, stderr } = child;
  const pipe = child.stdio[3] as Socket;
  let pid: number | undefined;
  let leftProcesses = false;
  pipe.once("data", (line: Buffer) => {
    pid = Number(line.toString());
  });
  for (const end of [stdin, pipe]) end.on("error", () => {});
  /** Whether somebody was there to get it. */
  const send = (to: number | undefined, signal: "SIGTERM" | "SIGKILL"): boolean => {
    try {
      return to !== undefined && process.kill(to, signal);
    } catch {
      return false;
    }
  };
  const group = () => child.pid && -child.pid;
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      leftProcesses = send(group(), "SIGKILL");
      pipe.destroy();
      resolve(endOf(code, signal));
    });
  });
  return {
    stdin,
    stdout,
    stderr,
    get pid() {
      return pid;
    },
    get leftProcesses() {
      return leftProcesses;
    },
    exited,
    terminate: () => void send(pid, "SIGTERM"),
    // The shell sees its end, and ends with it; before the program has begun there is the shell alone.
    kill: () => void send(pid ?? group(), "SIGKILL"),
  };
}

/** A shell says 127 of a program that is not there, 126 of one that may not be run, 128 + N of one that signal N ended. */
function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `signal ${signal}`;
  if (code === 127) return "cannot be started: there is no such program";
  if (code === 126) return "cannot be started: it may not be executed";
  const name = code !== null && code > 128 ? signalNames.get(code - 128) : undefined;
  return name === undefined ? `exit code ${code}` : `signal ${name}`;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
