import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isAlive } from "../../adapters/embedded/processes.ts";
import { startGuarded } from "../../adapters/plugin/guard.ts";

const host = fileURLToPath(new URL("programs/guard.ts", import.meta.url));
const env = { PATH: process.env.PATH };

test("a program that heeds nothing does not outlive a node that is killed, nor does what it has started", {
  timeout: 120_000,
}, async () => {
  const node = spawn(process.execPath, [host], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(node.stdout, "data")) as [Buffer];
  const pids = line.toString().trim().split(" ").map(Number);
  expect(pids.filter(isAlive)).toHaveLength(2);
  node.kill("SIGKILL");
  await expect.poll(() => pids.filter(isAlive)).toEqual([]);
});

test.each([
  ["exit 7", "exit code 7"],
  ["kill -s SEGV $$", "signal SIGSEGV"],
  ["exec /nowhere", "cannot be started: there is no such program"],
  ["exec /etc/passwd", "cannot be started: it may not be executed"],
])("how a program ended is told: %s", async (line, end) => {
  expect(await startGuarded({ command: ["/bin/sh", "-c", line], env }).exited).toBe(end);
});

test("what a program leaves behind is ended with it", async () => {
  const guarded = startGuarded({ command: ["/bin/sh", "-c", "sleep 1000 & echo $!"], env });
  const [text] = (await once(guarded.stdout, "data")) as [Buffer];
  expect(await guarded.exited).toBe("exit code 0");
  expect(guarded.leftProcesses).toBe(true);
  await expect.poll(() => isAlive(Number(text.toString()))).toBe(false);
  const clean = startGuarded({ command: ["/bin/sh", "-c", "exit 0"], env });
  await clean.exited;
  expect(clean.leftProcesses).toBe(false);
});
