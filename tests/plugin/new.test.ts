import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Report } from "../../cli/certify/report.ts";
import { sluice } from "../cli/sluice.ts";
import { pythonFor } from "../support/python.ts";
import { installSdk } from "../support/sdk.ts";
import { tempDir } from "../support/temp-dir.ts";

const run = promisify(execFile);

interface Language {
  /** Installs what the plugin needs, runs its own tests, and gives the command that starts it. */
  prepare(folder: string): Promise<string[]>;
}

const languages: Readonly<Record<string, Language>> = {
  ts: {
    async prepare(folder) {
      // What `npm install` does, without a registry.
      await installSdk(folder, join(folder, "vendor", "sluice-connector-sdk.tgz"));
      await run(process.execPath, ["--test"], { cwd: folder });
      return [process.execPath, "plugin.ts"];
    },
  },
  python: {
    async prepare(folder) {
      const { python } = await pythonFor(join(folder, "requirements.txt"));
      await run(python, ["-m", "unittest"], { cwd: folder });
      return [python, "connector.py"];
    },
  },
  go: {
    async prepare(folder) {
      await run("go", ["test", "./..."], { cwd: folder });
      await run("go", ["build", "-o", "plugin", "."], { cwd: folder });
      return ["./plugin"];
    },
  },
};

test.for(Object.entries(languages))(
  "a new plugin in %s passes its own tests, and is certified as it is",
  { timeout: 600_000 },
  async ([lang, { prepare }]) => {
    const folder = join(tempDir(), "of mine", "parts-shop");
    const made = await sluice(["plugin", "new", "parts-shop", "--lang", lang, "--dir", folder], { cwd: "/" });
    expect(made).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("plugin certify --config certify.yaml"),
    });
    // What it prints can be called where the folder is, and names the program that a node starts.
    const [, , cli, program] = /^ {2}('?)(.+)\1 plugin add parts-shop -- parts-shop\/(\S+)$/m.exec(made.stdout) ?? [];
    expect(existsSync(cli ?? "")).toBe(true);
    const command = await prepare(folder);
    expect(statSync(join(folder, program ?? "")).mode & 0o111).not.toBe(0);
    const args = ["plugin", "certify", "--quick", "--json", "--config", "certify.yaml", "--", ...command];
    const { code, stdout, stderr } = await sluice(args, { cwd: folder });
    expect(stderr).toBe("");
    const { plugin, checks } = JSON.parse(stdout) as Report;
    expect(checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(plugin).toEqual({ type: "parts-shop", version: "1.0.0", title: "Parts shop" });
    expect(code).toBe(0);
  },
);

test.each([
  [["Shop", "--lang", "go"], '"Shop" is no name of a connector type'],
  [["shop"], "--lang is missing: ts, python, go"],
  [["shop", "--lang", "pyton"], 'unknown language "pyton"; did you mean "python"?'],
  [["taken", "--lang", "go"], "taken is there already"],
])("a plugin is not made of %j", async (args, message) => {
  const cwd = tempDir();
  mkdirSync(join(cwd, "taken"));
  const { code, stdout, stderr } = await sluice(["plugin", "new", ...args], { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
  expect(existsSync(join(cwd, "shop"))).toBe(false);
});

test("what runs elsewhere is certified at its address, but for what only its process could show", async () => {
  const program = fileURLToPath(new URL("programs/built-in.ts", import.meta.url));
  const child = spawn(process.execPath, [program, "generator"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { address } = JSON.parse(line.toString()) as { address: string };
    const cwd = tempDir();
    writeFileSync(
      join(cwd, "certify.json"),
      '{ "config": { "count": 9 }, "source": { "stream": "any", "missing": false } }',
    );
    const args = [
      "plugin",
      "certify",
      "--config",
      "certify.json",
      "--report",
      "report.json",
      "--only",
      "read",
      address,
    ];
    const { code, stdout, stderr } = await sluice(args, { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^ok {6}read\.all +every record is read once, in order \(records 9\)$/m);
    const { checks, tried } = JSON.parse(readFileSync(join(cwd, "report.json"), "utf8")) as Report;
    expect(tried).toBe(address);
    const kill = checks.find(({ id }) => id === "read.kill");
    expect(kill).toMatchObject({ status: "skipped", reason: "its process is not ours to end and to look at" });
    const halfTls = await sluice(["plugin", "certify", "--ca", "certify.json", address], { cwd });
    expect(halfTls).toMatchObject({ code: 2, stderr: "sluice plugin: mutual TLS takes --ca, --cert and --key\n" });
  } finally {
    child.kill();
  }
});

test("certify says what it was not given, and what does not start has failed", async () => {
  const cwd = tempDir();
  const missing = await sluice(["plugin", "certify", "--config", "none.yaml", "x"], { cwd });
  expect(missing).toEqual({ code: 2, stdout: "", stderr: "sluice plugin: none.yaml: there is no such file\n" });
  const gone = await sluice(["plugin", "certify", "/nowhere/plugin"], { cwd });
  expect(gone.code).toBe(1);
  expect(gone.stdout).toMatch(
    /FAILED {2}spec\.start[\s\S]*there is no such program[\s\S]*Not certified: 0 checks passed, 1 failed/,
  );
});
