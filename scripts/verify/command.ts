import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Outcome {
  readonly code: number;
  /** What it wrote, to both. */
  readonly output: string;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill();
});

/** Runs a JavaScript program of node_modules on this Node, in the clone. */
export function runTool(script: string, ...args: string[]): Promise<Outcome> {
  return run(process.execPath, [`node_modules/${script}`, ...args]);
}

export function run(file: string, args: readonly string[], cwd = root): Promise<Outcome> {
  const env = { ...process.env, NO_COLOR: "1" };
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, output: `${error.message}\n` }));
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? 1, output: signal === null ? output : `${output}ended by ${signal}\n` });
    });
  });
}
