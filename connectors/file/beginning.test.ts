import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const failing = vi.hoisted(() => ({ code: "" }));
vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  const guarded =
    <A extends unknown[]>(work: (...args: A) => Promise<void>) =>
    (...args: A) =>
      failing.code === "" ? work(...args) : Promise.reject(Object.assign(new Error(), { code: failing.code }));
  return { ...fs, rename: guarded(fs.rename), access: guarded(fs.access) };
});

const { Beginning } = await import("./beginning.ts");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice beginning "));
  await writeFile(join(folder, "a.ndjson"), "");
});
afterEach(async () => {
  failing.code = "";
  await rm(folder, { recursive: true });
});

const state = { bytes: 1, records: 1 };

test.each([
  ["ENOSPC", "the disk is full"],
  ["EIO", "the disk reports an error"],
])("a beginning that cannot be kept by %s is waited for, and leaves nothing beside the file", async (code, message) => {
  const beginning = new Beginning(join(folder, "a.ndjson"), "00000000-0000-7000-8000-000000000002");
  failing.code = code;
  await expect(beginning.write(state)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining(message),
  });
  expect(await readdir(folder)).toEqual(["a.ndjson"]);
  expect(await beginning.read()).toBeNull();
  failing.code = "";
  await beginning.write(state);
  expect(await beginning.read()).toEqual(state);
});

test.each(["EACCES", "EROFS"])("a run whose folder refuses it (%s) says so, and does without", async (code) => {
  const beginning = new Beginning(join(folder, "a.ndjson"), "00000000-0000-7000-8000-000000000002");
  expect(await beginning.warnings()).toEqual([]);
  failing.code = code;
  expect(await beginning.warnings()).toEqual([expect.stringContaining(`${folder} takes no file`)]);
  await beginning.write(state);
  expect(await beginning.read()).toBeNull();
});
