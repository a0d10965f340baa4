import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { createSandbox } from "./index.ts";
import { confined } from "./process.ts";

test("code in the sandbox's process itself reads no file, starts nothing and opens no connection", {
  timeout: 60_000,
}, () => {
  const { args, env } = confined("testing/hostile.ts");
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  expect(stderr).toBe("");
  const outcomes = Object.entries(JSON.parse(stdout) as Record<string, string>);
  expect(outcomes.length).toBe(18);
  for (const [attempt, outcome] of outcomes) expect([attempt, outcome]).not.toEqual([attempt, "done"]);
});

test("a process that is killed is started again, and what it had in hand is evaluated", {
  timeout: 60_000,
}, async () => {
  const sandbox = createSandbox({ limits: { timeMs: 20_000 } });
  const { signal } = new AbortController();
  const run = (source: string) => sandbox.run("s", { kind: "expression", source }, [{ record: {}, meta: {} }], signal);
  await run("1");
  const first = sandbox.pid as number;
  const slow = run("(() => { const end = Date.now() + 300; while (Date.now() < end); return 2; })()");
  process.kill(first, "SIGKILL");
  expect(await slow).toEqual([{ ok: true, value: 2 }]);
  expect(sandbox.pid).not.toBe(first);
  await sandbox.close();
  await expect(run("1")).rejects.toThrow("closed");
});

test("an aborted batch is given up at once", { timeout: 60_000 }, async () => {
  const sandbox = createSandbox({ limits: { timeMs: 3_000 } });
  const controller = new AbortController();
  const call = { record: {}, meta: {} };
  const endless = sandbox.run(
    "s",
    { kind: "expression", source: "(() => { for (;;); })()" },
    [call],
    controller.signal,
  );
  controller.abort(new Error("stopped"));
  await expect(endless).rejects.toThrow("stopped");
  const { signal } = new AbortController();
  const other = await sandbox.run("t", { kind: "predicate", source: "meta.x" }, [call], signal);
  expect(other).toEqual([{ ok: true, value: false }]);
  await sandbox.close();
});
