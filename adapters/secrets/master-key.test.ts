import { randomBytes } from "node:crypto";
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KeyProvider } from "./key-provider.ts";
import { masterKeys } from "./master-key.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "sluice keys "));
});
afterEach(() => rm(dataDir, { recursive: true }));

/** Whether what the one wraps the other opens. */
async function agree(one: KeyProvider, other: KeyProvider): Promise<boolean> {
  const dataKey = randomBytes(32);
  const wrapped = await one.wrap(dataKey, "context");
  const opened = await other.unwrap(wrapped, "context").catch(() => new Uint8Array());
  return dataKey.equals(opened);
}

const file = () => path.join(dataDir, "keys", "master.key");

test("the first start makes a key file that only its owner may read; later starts use it", async () => {
  const keys = await masterKeys({ env: {}, dataDir });
  expect(await agree(keys, await masterKeys({ env: {}, dataDir }))).toBe(true);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file()))).mode & 0o777).toBe(0o700);
  expect(Buffer.from(await readFile(file(), "utf8"), "base64")).toHaveLength(32);
});

test("nodes that start together agree on one key, and leave nothing else behind", async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => masterKeys({ env: {}, dataDir })));
  expect(new Set(await Promise.all(all.map((keys) => keys.current()))).size).toBe(1);
  expect(await readdir(path.join(dataDir, "keys"))).toEqual(["master.key"]);
});

test("a newer key in the file wraps from then on, the former ones open still, and so they do for another start", async () => {
  const keys = await masterKeys({ env: {}, dataDir });
  const before = await keys.wrap(randomBytes(32), "c");
  await keys.renew!();
  expect(await keys.current()).not.toBe(before.keyVersion);
  expect(keys.opens(before.keyVersion)).toBe(true);
  const later = await masterKeys({ env: {}, dataDir });
  expect(await later.current()).toBe(await keys.current());
  expect(await later.unwrap(before, "c")).toHaveLength(32);
  expect(await readdir(path.join(dataDir, "keys"))).toEqual(["master.key"]);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test("a new key survives a power cut: the folder is synced behind it, where the file system can", async () => {
  const handle = await open(dataDir, "r");
  await handle.close();
  const synced: { isFolder: boolean; names: string[] }[] = [];
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, "sync");
  try {
    sync.mockImplementation(async function (this: FileHandle) {
      const isFolder = (await this.stat()).isDirectory();
      synced.push({ isFolder, names: await readdir(path.dirname(file())) });
      if (isFolder) throw Object.assign(new Error("invalid argument"), { code: "EINVAL" });
    });
    const folders = () => synced.splice(0).filter(({ isFolder }) => isFolder);
    const keys = await masterKeys({ env: {}, dataDir });
    expect(folders().map(({ names }) => names)).toEqual([["master.key"], ["master.key"]]);
    await keys.renew!();
    expect(folders().map(({ names }) => names)).toEqual([["master.key"]]);
    sync.mockRejectedValue(Object.assign(new Error("i/o error"), { code: "EIO" }));
    await expect(keys.renew!()).rejects.toThrow("i/o error");
  } finally {
    sync.mockRestore();
  }
});

test("SLUICE_MASTER_KEY is used in place of a file, the first of several wraps, and no file is made", async () => {
  const [older, newer] = [7, 8].map((byte) => Buffer.alloc(32, byte).toString("base64")) as [string, string];
  const told: string[] = [];
  const secret = (key: string) => void told.push(key);
  const alone = await masterKeys({ env: { SLUICE_MASTER_KEY: older }, dataDir });
  const both = await masterKeys({ env: { SLUICE_MASTER_KEY: `${newer}, ${older}` }, dataDir, secret });
  expect([await agree(alone, both), await agree(both, alone)]).toEqual([true, false]);
  expect(told).toEqual([newer, older]);
  expect(both.renew).toBeUndefined();
  expect(await readdir(dataDir)).toEqual([]);
});

test("a key of the wrong length is refused by where it stands, without quoting it", async () => {
  const short = Buffer.alloc(16, 7).toString("base64");
  const error = masterKeys({ env: { SLUICE_MASTER_KEY: short }, dataDir });
  await expect(error).rejects.toThrow(/SLUICE_MASTER_KEY is no master key: it must be 32 bytes in base64/);
  await expect(error).rejects.not.toThrow(short);
});

test("a key file that was cut off is refused, not replaced", async () => {
  await masterKeys({ env: {}, dataDir });
  await writeFile(file(), "AAAA");
  await expect(masterKeys({ env: {}, dataDir })).rejects.toThrow(file());
  expect(await readFile(file(), "utf8")).toBe("AAAA");
});
