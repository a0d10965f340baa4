import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findNatsServer, isNewEnough, NATS_VERSION, parseVersion } from "./nats-server.ts";

test("a server's version is read from what it prints", () => {
  expect(parseVersion("nats-server: v2.15.2\n")).toBe("2.15.2");
  expect(parseVersion("nats-server: v2.16.0-RC.1\n")).toBe("2.16.0-RC.1");
  expect(parseVersion("nats-server: not a version\n")).toBeNull();
});

test("a server is new enough from 2.14 on, by number and not by letters", () => {
  expect(["2.14.0", "2.15.2", "3.0.0"].map(isNewEnough)).toEqual([true, true, true]);
  expect(["2.9.10", "2.13.9", "1.99.0"].map(isNewEnough)).toEqual([false, false, false]);
});

test("a server on PATH is preferred, and one that is too old is passed over for the cache", async () => {
  const folder = tempDir();
  program(folder, "nats-server", "nats-server: v2.14.1");
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  expect(await findNatsServer({ cache: folder, env })).toEqual({
    path: "nats-server",
    version: "2.14.1",
    origin: "PATH",
  });

  program(folder, "nats-server", "nats-server: v2.9.10");
  const cached = `nats-server-${NATS_VERSION}-${process.platform}-${process.arch}`;
  program(folder, cached, `nats-server: v${NATS_VERSION}`);
  expect(await findNatsServer({ cache: folder, env })).toEqual({
    path: join(folder, cached),
    version: NATS_VERSION,
    origin: "cache",
  });
});

test("with nothing to be had the error names every way and why it failed", async () => {
  const folder = tempDir();
  program(folder, "go", "go version go1.19.8 linux/amd64");
  const error = await findNatsServer({
    cache: join(folder, "cache"),
    env: { PATH: `${folder}:/bin` },
    download: async () => {
      throw new Error("the network is away");
    },
  }).then(
    () => "",
    (error: Error) => error.message,
  );
  for (const part of ["not on PATH", "Go 1.19.8 is too old", "the network is away", "SLUICE_NATS_URL", "go.dev/dl"]) {
    expect(error).toContain(part);
  }
});

function program(folder: string, name: string, output: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\necho '${output}'\n`);
  chmodSync(join(folder, name), 0o755);
}

function tempDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice nats "));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
