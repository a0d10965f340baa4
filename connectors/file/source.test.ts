import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recordsOf } from "../conformance/index.ts";
import type { Cursor, Json, ReadBatch, SourceMode } from "../sdk/index.ts";
import { type FileConfig, file } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "sluice file ")));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

interface Given {
  readonly mode?: SourceMode;
  readonly from?: Cursor;
  readonly records?: number;
  readonly config?: Partial<FileConfig>;
}

function put(name: string, content: string | Buffer): Promise<void> {
  return writeFile(join(folder, name), content);
}

function connectorOf(config: Partial<FileConfig> = {}) {
  return file.create({ path: folder, ...config }, { dataDir: folder, fileRoots: [folder] });
}

async function read(stream: string, given: Given = {}, batches: ReadBatch[] = []): Promise<ReadBatch[]> {
  const { mode = "full", from = null, records = 500, config } = given;
  const source = await connectorOf(config).openSource!({
    stream,
    mode,
    from,
    cursorField: undefined,
    batch: { records, bytes: 100_000 },
    signal: new AbortController().signal,
  });
  for await (const batch of source.read()) batches.push(batch);
  return batches;
}

const ids = (batches: readonly ReadBatch[]): Json[] => recordsOf(batches).map((record) => (record as { id: Json }).id);
const lines = (...ids: readonly number[]): string => ids.map((id) => `{"id":${id}}\n`).join("");

describe("streams", () => {
  test("a glob reads its files one after another, by name, without those that begin with a dot", async () => {
    await mkdir(join(folder, "sub"));
    await put("b.ndjson", lines(2));
    await put("a.ndjson", lines(1));
    await put("c.json", "[]");
    await put(".hidden.ndjson", lines(9));
    await put("sub/d.ndjson", lines(3));
    const batches = await read("*.ndjson");
    expect(ids(batches)).toEqual([1, 2]);
    expect(batches.map((batch) => batch.position)).toEqual([
      { base: "a.ndjson", offset: 1 },
      { base: "b.ndjson", offset: 1 },
    ]);
    expect(ids(await read("**/*.ndjson"))).toEqual([1, 2, 3]);
    expect(ids(await read("sub/d.ndjson"))).toEqual([3]);
  });

  test("a name that looks like a glob is the file of that name where there is one", async () => {
    await put("a[1].ndjson", lines(1));
    await put("a1.ndjson", lines(2));
    expect(ids(await read("a[1].ndjson"))).toEqual([1]);
    expect(ids(await read("a[1]*"))).toEqual([2]);
  });

  test("a missing file is named with its path and the nearest name", async () => {
    await put("orders.ndjson", "");
    await expect(read("order.ndjson")).rejects.toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "source.stream",
      message: `${join(folder, "order.ndjson")} does not exist. Did you mean "orders.ndjson"?`,
    });
    await expect(read("*.csv")).rejects.toMatchObject({ code: "NOT_FOUND", path: "source.stream" });
    await expect(read(".")).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "source.stream" });
  });

  test("nothing outside of the file roots is read, by whatever way", async () => {
    const outside = await realpath(await mkdtemp(join(tmpdir(), "sluice outside ")));
    try {
      await writeFile(join(outside, "secret.ndjson"), lines(1));
      await symlink(join(outside, "secret.ndjson"), join(folder, "link.ndjson"));
      await symlink(outside, join(folder, "sub"));
      for (const stream of ["link.ndjson", "sub/secret.ndjson", "*.ndjson", "sub/*", "sub/missing"]) {
        await expect(read(stream)).rejects.toMatchObject({ code: "FORBIDDEN", path: "source.stream" });
      }
      for (const stream of [join(outside, "secret.ndjson"), "../x", "a/../../x", "", "a\0b"]) {
        await expect(read(stream)).rejects.toMatchObject({ code: "VALIDATION_ERROR", path: "source.stream" });
      }
      for (const path of [outside, join(folder, "sub"), join(folder, "..")]) {
        const checking = connectorOf({ path }).check(new AbortController().signal);
        await expect(checking).rejects.toMatchObject({ code: "FORBIDDEN", path: "config.path" });
      }
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test("the product's own files in the data folder are refused, the rest of it is not", async () => {
    await mkdir(join(folder, "secrets"));
    await writeFile(join(folder, "secrets", "a.ndjson"), lines(1));
    await writeFile(join(folder, "token"), "{}");
    for (const stream of ["secrets/a.ndjson", "token", "secrets/*", "nats/x"]) {
      await expect(read(stream)).rejects.toMatchObject({ code: "FORBIDDEN", path: "source.stream" });
    }
    await put("a.ndjson", lines(1));
    expect(ids(await read("a.ndjson"))).toEqual([1]);
  });

  test("a link within the roots is followed, and a folder is made where that is configured", async () => {
    await put("a.ndjson", lines(1));
    await symlink(join(folder, "a.ndjson"), join(folder, "link.ndjson"));
    expect(ids(await read("link.ndjson"))).toEqual([1]);
    await connectorOf({ path: join(folder, "x", "y"), create: true }).check(new AbortController().signal);
    expect(await readdir(join(folder, "x"))).toEqual(["y"]);
  });

  test("discover infers a schema from what can be read, and lists what cannot", async () => {
    await put("a.csv", "id,name\n1,x\n");
    await put("b.ndjson", '{"id":1}\nnot json\n{"id":2.5,"tag":null}\n');
    await put("c.ndjson.gz", "no gzip");
    await mkdir(join(folder, "sub"));
    const streams = await connectorOf().discover(new AbortController().signal);
    expect(streams).toEqual([
      expect.objectContaining({ name: "a.csv", schema: expect.objectContaining({ required: ["id", "name"] }) }),
      expect.objectContaining({ name: "b.ndjson", schema: expect.objectContaining({ required: ["id"] }) }),
      { name: "c.ndjson.gz", schema: {} },
    ]);
  });
});

describe("compression", () => {
  test("gzip is told by its first bytes, also of several members and with padding", async () => {
    await put("a.ndjson", Buffer.concat([gzipSync(lines(1)), gzipSync(lines(2, 3)), Buffer.alloc(9)]));
    await put("b.ndjson.gz", lines(4));
    expect(ids(await read("*"))).toEqual([1, 2, 3, 4]);
  });

  test("a gzip file that breaks off gives its records and then an error that names it", async () => {
    const member = gzipSync(lines(1, 2, 3));
    const broken = {
      truncated: Buffer.concat([member, gzipSync(lines(4)).subarray(0, -10)]),
      "followed by other bytes": Buffer.concat([member, Buffer.from("x".repeat(100))]),
    };
    for (const content of Object.values(broken)) {
      await put("a.ndjson.gz", content);
      const batches: ReadBatch[] = [];
      const error: unknown = await read("a.ndjson.gz", {}, batches).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringContaining("a.ndjson.gz") });
      expect(ids(batches).slice(0, 3)).toEqual(batches.length === 0 ? [] : [1, 2, 3]);
    }
    await put("a.ndjson.gz", broken.truncated);
    const batches: ReadBatch[] = [];
    await expect(read("a.ndjson.gz", {}, batches)).rejects.toThrow("unexpected end of file");
    expect(ids(batches).slice(0, 3)).toEqual([1, 2, 3]);
  });

  test("what is no gzip is refused where gzip is configured, and read where none is", async () => {
    await put("a.ndjson", lines(1));
    await expect(read("a.ndjson", { config: { compression: "gzip" } })).rejects.toThrow("no whole gzip file");
    expect(ids(await read("a.ndjson", { config: { compression: "none" } }))).toEqual([1]);
  });
});

describe("going on", () => {
  const last = (batches: readonly ReadBatch[]): Cursor => batches.at(-1)!.cursor;

  test("mode incremental has a cursor that fits into the log for a thousand files, though others come and go", async () => {
    const nameOf = (day: number, n: number) => `orders-of-day-${day}-part-${String(n).padStart(5, "0")}.ndjson`;
    const placeOf = (n: number) => ({ offset: n * 977 + 64, line: n + 2, tail: [64, (n * 2_654_435_761) >>> 0] });
    const gone = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [nameOf(1, n), placeOf(n)]));
    await Promise.all(Array.from({ length: 100 }, (_, n) => put(nameOf(2, n), lines(n))));
    const batches = await read("*", { mode: "incremental", from: { file: nameOf(0, 1), ...placeOf(1), done: gone } });
    expect(batches).toHaveLength(100);
    const from = last(batches);
    expect(JSON.stringify(from).length).toBeLessThan(30_000);
    await appendFile(join(folder, nameOf(2, 50)), lines(1_000));
    await put(nameOf(1, 999), lines(1_001));
    expect(ids(await read("*", { mode: "incremental", from }))).toEqual([1_001, 1_000]);
  });

  test("mode incremental reads appended lines and new files only, wherever their names sort", async () => {
    await put("b.ndjson", lines(1, 2));
    const first = await read("*", { mode: "incremental" });
    expect(ids(first)).toEqual([1, 2]);
    expect(await read("*", { mode: "incremental", from: last(first) })).toEqual([]);
    await appendFile(join(folder, "b.ndjson"), lines(3));
    await put("a.ndjson", lines(4));
    await put("c.ndjson", lines(5));
    const second = await read("*", { mode: "incremental", from: last(first) });
    expect(ids(second)).toEqual([4, 3, 5]);
    expect(second.map((batch) => batch.position.offset)).toEqual([1, 3, 1]);
    await appendFile(join(folder, "a.ndjson"), lines(6));
    expect(ids(await read("*", { mode: "incremental", from: last(second) }))).toEqual([6]);
  });

  test("mode incremental leaves a torn last line for later, and takes a whole one", async () => {
    await put("a.ndjson", `${lines(1)}{"id":2`);
    const first = await read("a.ndjson", { mode: "incremental" });
    expect(ids(first)).toEqual([1]);
    await appendFile(join(folder, "a.ndjson"), "2}");
    const second = await read("a.ndjson", { mode: "incremental", from: last(first) });
    expect(ids(second)).toEqual([22]);
    await appendFile(join(folder, "a.ndjson"), `\n${lines(3)}`);
    const third = await read("a.ndjson", { mode: "incremental", from: last(second) });
    expect(ids(third)).toEqual([3]);
    expect(third[0]!.position.offset).toBe(3);
  });

  test("mode incremental takes a last CSV row without a newline once the file was left alone", async () => {
    await put("a.csv", "id\n1\n2");
    expect(ids(await read("a.csv", { mode: "incremental" }))).toEqual(["1"]);
    const before = new Date(Date.now() - 120_000);
    await utimes(join(folder, "a.csv"), before, before);
    expect(ids(await read("a.csv", { mode: "incremental" }))).toEqual(["1", "2"]);
  });

  test("a file that was replaced, cut short or rewritten is read from its beginning", async () => {
    const write = [
      async () => {
        await put("new", lines(7, 8, 9));
        await rename(join(folder, "new"), join(folder, "a.ndjson"));
      },
      () => truncate(join(folder, "a.ndjson"), lines(1).length),
      () => put("a.ndjson", lines(7, 8, 9, 10)),
    ];
    for (const [index, change] of write.entries()) {
      await put("a.ndjson", lines(1, 2, 3));
      const [, second] = await read("a.ndjson", { records: 1 });
      await change();
      const expected = [[7, 8, 9], [1], [7, 8, 9, 10]][index];
      for (const mode of ["full", "incremental"] as const) {
        expect(ids(await read("a.ndjson", { mode, from: second!.cursor }))).toEqual(expected);
      }
    }
  });

  test("mode full goes on in the file of the cursor and with those after it", async () => {
    await put("a.ndjson", lines(1, 2));
    await put("b.ndjson", lines(3, 4));
    await put("c.ndjson", lines(5));
    const batches = await read("*", { records: 1 });
    expect(ids(await read("*", { from: batches[2]!.cursor }))).toEqual([4, 5]);
    await unlink(join(folder, "b.ndjson"));
    await expect(read("*", { from: batches[2]!.cursor })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
