import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { isAlive } from "../../adapters/embedded/processes.ts";
import { tempDir } from "../support/temp-dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAME = { name: "sluice", version: "0.1.0" };
const program = (name: string): string => fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));

test("npx sluice in a new clone sets it up once, for two at a time, and asks no registry", async () => {
  const clone = makeClone();
  const both = await Promise.all([sluice(clone, ["one two"]), sluice(clone, ["3"])]);
  expect(both.map(({ code }) => code)).toEqual([0, 3]);
  expect(both[0].stdout).toBe('["one two"]\n');
  const setUps = both.filter(({ stderr }) => stderr.includes("installing dependencies"));
  expect(setUps).toHaveLength(1);

  const again = await sluice(clone, ["again"]);
  expect(again).toEqual({ code: 0, stdout: '["again"]\n', stderr: "" });
});

test("a set-up that was interrupted is made again, and so is one of another lock file", async () => {
  const clone = makeClone();
  await sluice(clone, []);
  for (const file of [".package-lock.json", ".sluice-stamp"]) rmSync(join(clone, "node_modules", file));
  expect((await sluice(clone, [])).stderr).toContain("installing dependencies");

  writeFiles(clone, {
    "part/package.json": '{ "name": "part", "version": "2.0.0" }',
    "package-lock.json": lockFile("2.0.0"),
  });
  expect((await sluice(clone, [])).stderr).toContain("installing dependencies");
});

test("a set-up that npm install has made already is taken as it is", async () => {
  const clone = makeClone();
  await sluice(clone, []);
  rmSync(join(clone, "node_modules", ".sluice-stamp"));
  expect((await sluice(clone, [])).stderr).toBe("");
});

test("a set-up that fails says why and is not taken for one", async () => {
  const clone = makeClone();
  writeFiles(clone, { "package-lock.json": JSON.stringify({ ...NAME, lockfileVersion: 3, packages: {} }) });
  for (const _ of ["once", "and again"]) {
    const { code, stderr } = await sluice(clone, []);
    expect(code).toBe(1);
    expect(stderr).toContain("npm ci failed");
  }
});

test("a signal reaches the program once, however many deliver the same key press, and its exit code comes back", async () => {
  const { launcher, lines } = await launchSignals();
  launcher.kill("SIGINT");
  launcher.kill("SIGINT");
  expect(await lines.next()).toEqual({ done: false, value: "SIGINT" });
  launcher.kill("SIGTERM");
  expect(await once(launcher, "exit")).toEqual([7, null]);
  expect(await lines.next()).toMatchObject({ done: true });
});

test("the program ends when its launcher is killed", async () => {
  const { launcher, pid } = await launchSignals();
  launcher.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { interval: 10 }).toBe(false);
});

test("a program that dies of a signal has its launcher die of the same", async () => {
  const { launcher, pid } = await launchSignals();
  process.kill(pid, "SIGKILL");
  expect(await once(launcher, "exit")).toEqual([null, "SIGKILL"]);
});

/** The launcher and set-up of this project around a program that prints its arguments; nothing to download. */
function makeClone(): string {
  const clone = join(tempDir(), "a clone");
  for (const path of ["bin", "scripts", ".npmrc"]) cpSync(join(ROOT, path), join(clone, path), { recursive: true });
  const manifest = { ...NAME, type: "module", bin: { sluice: "bin/sluice.mjs" }, dependencies: { part: "file:part" } };
  writeFiles(clone, {
    "package.json": JSON.stringify(manifest),
    "package-lock.json": lockFile("1.0.0"),
    "part/package.json": JSON.stringify({ name: "part", version: "1.0.0" }),
    "cli/main.ts":
      "const args: string[] = process.argv.slice(2);\n" +
      "console.log(JSON.stringify(args));\nprocess.exitCode = Number(args[0]) || 0;\n",
  });
  return clone;
}

function lockFile(partVersion: string): string {
  const packages = {
    "": { ...NAME, dependencies: { part: "file:part" } },
    "node_modules/part": { resolved: "part", link: true },
    part: { version: partVersion },
  };
  return JSON.stringify({ ...NAME, lockfileVersion: 3, requires: true, packages });
}

function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

async function sluice(clone: string, args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, npm_config_offline: "true", npm_config_cache: join(clone, ".npm") };
  const child = spawn("npx", ["--loglevel=error", "sluice", ...args], { cwd: clone, env, stdio: "pipe" });
  child.stdin.end();
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

async function launchSignals(): Promise<{ launcher: ChildProcess; pid: number; lines: AsyncIterator<string> }> {
  const launcher = spawn(process.execPath, [program("launcher"), program("signals")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void launcher.kill("SIGKILL"));
  const lines = createInterface(launcher.stdout)[Symbol.asyncIterator]();
  const { value } = (await lines.next()) as { value: string };
  return { launcher, pid: Number(value), lines };
}
