// Runs one of the project's TypeScript programs on a Node that can.
import { spawn } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { bootstrapOrExit, root } from "./bootstrap.mjs";
import { buildConsole } from "./console.mjs";

/** A repeat within this time is the same key press, delivered by the terminal, by npm and by a shell. */
const SAME_SIGNAL_MS = 250;

/** A node's young generation else takes 128 MB, and gains nothing by it (bench/README.md). */
export const SERVER_NODE_ARGS = ["--max-semi-space-size=16"];
const SERVERS = ["up", "quickstart"];

/**
 * Runs `program` (a path in the clone) with `args` and takes on its exit code. On a Node that runs TypeScript it is
 * this very process; otherwise a child on the project's own Node.
 */
export async function launch(program, args) {
  const node = await bootstrapOrExit();
  const file = path.join(root, program);
  if (SERVERS.includes(args[0])) await seeToConsole(node);
  const nodeArgs = SERVERS.includes(args[0]) ? SERVER_NODE_ARGS : [];
  if (node !== process.execPath) {
    runChild(node, [...nodeArgs, file, ...args]);
    return;
  }
  // V8 takes these only as a process begins: the same process begins anew.
  if (nodeArgs.length > 0) process.execve(node, [node, ...process.execArgv, ...nodeArgs, file, ...args]);
  process.argv = [node, file, ...args];
  await import(pathToFileURL(file).href);
}

/** A node without its console is a node all the same. */
async function seeToConsole(node) {
  try {
    await buildConsole(node);
  } catch (error) {
    process.stderr.write(`sluice: the console could not be built, all else works: ${error.message}\n`);
  }
}

/** Runs `node` with `args` as this process would run itself: its terminal, its signals, its exit code, its end. */
export function runChild(node, args) {
  // At a terminal the child shares our process group, reads the keyboard and gets Ctrl-C from the terminal itself.
  // Otherwise it is out of reach of signals to our group, and gets each one once, from us.
  const atTerminal = process.stdin.isTTY === true;
  // The IPC channel carries no messages: when it closes, the child knows that we are gone (exitWithParent).
  const child = spawn(node, args, { stdio: ["inherit", "inherit", "inherit", "ipc"], detached: !atTerminal });
  const lastSeen = new Map();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      const now = performance.now();
      const repeated = now - (lastSeen.get(signal) ?? Number.NEGATIVE_INFINITY) < SAME_SIGNAL_MS;
      lastSeen.set(signal, now);
      if (!repeated && !(atTerminal && signal !== "SIGTERM")) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`sluice: cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
