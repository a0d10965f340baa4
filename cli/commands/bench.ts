import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** `sluice bench SCENARIO`: a process of its own, so that what it measures is not this one. */
export async function bench(argv: readonly string[]): Promise<number> {
  const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, ...argv], { stdio: "inherit" });
  // At a terminal Ctrl-C reaches the child, too; it decides.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}
