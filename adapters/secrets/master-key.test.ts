import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadMasterKey } from "./master-key.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "sluice keys "));
});
afterEach(() => rm(dataDir, { recursive: true }));

test("the first start makes a key file that only its owner may read; later starts use it", async () => {
  const key = await loadMasterKey({ env: {}, dataDir });
  expect(key).toHaveLength(32);
  expect(await loadMasterKey({ env: {}, dataDir })).toEqual(key);
  const file = path.join(dataDir, "keys", "master.key");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  expect(Buffer.from(await readFile(file, "utf8"), "base64").equals(key)).toBe(true);
});

test("nodes that start together agree on one key, and leave nothing else behind", async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadMasterKey({ env: {}, dataDir })));
  expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1);
  expect(await readdir(path.join(dataDir, "keys"))).toEqual(["master.key"]);
});

test("SLUICE_MASTER_KEY is used in place of a file, and none is made", async () => {
  const given = Buffer.alloc(32, 7).toString("base64");
  const key = await loadMasterKey({ env: { SLUICE_MASTER_KEY: given }, dataDir });
  expect(Buffer.from(key)).toEqual(Buffer.alloc(32, 7));
  expect(await readdir(dataDir)).toEqual([]);
});

test("a key of the wrong length is refused by where it stands, without quoting it", async () => {
  const short = Buffer.alloc(16, 7).toString("base64");
  const error = loadMasterKey({ env: { SLUICE_MASTER_KEY: short }, dataDir });
  await expect(error).rejects.toThrow(/SLUICE_MASTER_KEY is no master key: it must be 32 bytes in base64/);
  await expect(error).rejects.not.toThrow(short);
});

test("a key file that was cut off is refused, not replaced", async () => {
  await loadMasterKey({ env: {}, dataDir });
  const file = path.join(dataDir, "keys", "master.key");
  await writeFile(file, "AAAA");
  await expect(loadMasterKey({ env: {}, dataDir })).rejects.toThrow(file);
  expect(await readFile(file, "utf8")).toBe("AAAA");
});
