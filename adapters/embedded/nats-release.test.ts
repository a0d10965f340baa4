import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { releaseName, verifySum } from "./nats-release.ts";

test("a release is named as the project names its files", () => {
  expect(releaseName("2.15.2", "linux", "x64")).toBe("nats-server-v2.15.2-linux-amd64");
  expect(releaseName("2.15.2", "darwin", "arm64")).toBe("nats-server-v2.15.2-darwin-arm64");
  expect(() => releaseName("2.15.2", "linux", "mips")).toThrow("linux-mips");
  expect(() => releaseName("2.15.2", "win32", "x64")).toThrow("win32-x64");
});

test("a file is taken only with the checksum that was published for its very name", () => {
  const file = Buffer.from("the archive");
  const sum = createHash("sha256").update(file).digest("hex");
  const other = "0".repeat(64);
  const sums = `${other}  another.tar.gz\n${sum}  a.tar.gz\n${other} *wrong.tar.gz\n`;
  verifySum(file, "a.tar.gz", sums);
  expect(() => verifySum(file, "wrong.tar.gz", sums)).toThrow(/not used/);
  expect(() => verifySum(file, "tar.gz", sums)).toThrow(/no checksum is published/);
});
