import { parseArgs } from "node:util";
import { readNodeSettings } from "./node-settings.ts";
import { startNode } from "./start-node.ts";

/** `sluice up`: a node in the foreground, until Ctrl-C. */
export async function up(argv: string[]): Promise<number> {
  parseArgs({ args: argv, options: {} });
  const began = performance.now();
  const stderr = (text: string) => void process.stderr.write(text);
  // Nobody watches: whoever collects the logs gets them all, the progress of the set-up among them, in one form.
  const collected = process.env.SLUICE_LOG ? process.env.SLUICE_LOG === "stderr" : !process.stderr.isTTY;
  const node = collected
    ? await startNode(readNodeSettings(), undefined, stderr)
    : await startNode(readNodeSettings(), (line) => stderr(`${line}\n`));
  process.stdout.write(
    `sluice is ready at ${node.url} after ${((performance.now() - began) / 1000).toFixed(1)} s (Ctrl-C stops it)\n`,
  );
  const signal = await stopSignal();
  process.stdout.write(`${signal}: stopping\n`);
  await node.stop();
  return 0;
}

/** Resolves at the first signal to stop; from the second on, the stop is under way and they change nothing. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, resolve);
  });
}
