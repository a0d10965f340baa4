import { appendFile, chmod, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Destination, DestinationMode, Json, OutRecord, WriteBatch } from "../sdk/index.ts";
import { file } from "./index.ts";
import { Output } from "./output.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "sluice file ")));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const runId = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;

function open(stream: string, mode: DestinationMode, state: Json | null = null, run = 2): Promise<Destination> {
  const connector = file.create({ path: folder }, { dataDir: folder, fileRoots: [folder] });
  const signal = new AbortController().signal;
  return connector.openDestination!({ stream, mode, key: [], runId: runId(run), state, signal });
}

function batchOf(...values: readonly Json[]): WriteBatch {
  const records = values.map((value): OutRecord => ({ value, text: JSON.stringify(value), id: "" }));
  return { records, signal: new AbortController().signal };
}

async function append(stream: string, ...values: readonly Json[]): Promise<void> {
  const destination = await open(stream, "append");
  await destination.write(batchOf(...values));
  await destination.complete();
  await destination.close();
}

const contentOf = async (name: string): Promise<string> => (await readFile(join(folder, name))).toString();
const put = (name: string, content: string | Buffer): Promise<void> => writeFile(join(folder, name), content);

describe("append", () => {
  test("what a crash tore off is cut away, and a whole last line stays", async () => {
    const ends: [string, string][] = [
      ['{"id":1}\n{"id', '{"id":1}\n{"id":2}\n'],
      ['{"id', '{"id":2}\n'],
      ['{"id":1}', '{"id":1}\n{"id":2}\n'],
      ["", '{"id":2}\n'],
    ];
    for (const [before, after] of ends) {
      await put("a.ndjson", before);
      await append("a.ndjson", { id: 2 });
      expect(await contentOf("a.ndjson")).toBe(after);
    }
  });

  test("a gzip member that was torn off is cut away wherever it was torn, and whole ones stay", async () => {
    const whole = gzipSync('{"id":1}\n');
    const torn = gzipSync('{"id":2}\n');
    for (let length = 0; length < torn.length; length++) {
      await put("a.ndjson.gz", Buffer.concat([whole, torn.subarray(0, length)]));
      await append("a.ndjson.gz", { id: 3 });
      expect(gunzipSync(await readFile(join(folder, "a.ndjson.gz"))).toString()).toBe('{"id":1}\n{"id":3}\n');
    }
  });

  test("a gzip file of another program without a last newline gets one", async () => {
    await put("a.ndjson.gz", gzipSync('{"id":1}'));
    await append("a.ndjson.gz", { id: 2 });
    expect(gunzipSync(await readFile(join(folder, "a.ndjson.gz"))).toString()).toBe('{"id":1}\n{"id":2}\n');
  });

  test("an array stays an array after every write, and a torn one is mended", async () => {
    const arrays = ["", "[]", "[ ]\n", '[{"id":1}]', '[\n  {"id": 1}\n]\n\n\n\n', '[{"id":1},\n{"id"', '[{"id":1}'];
    for (const before of arrays) {
      await put("a.json", before);
      const destination = await open("a.json", "append");
      const had = before.includes("}") ? [{ id: 1 }] : [];
      await destination.write(batchOf({ id: 2 }, { id: 3 }));
      expect(JSON.parse(await contentOf("a.json"))).toEqual([...had, { id: 2 }, { id: 3 }]);
      await destination.write(batchOf({ id: 4 }));
      expect(JSON.parse(await contentOf("a.json"))).toEqual([...had, { id: 2 }, { id: 3 }, { id: 4 }]);
      await destination.complete();
      await destination.close();
    }
  });

  test("a compressed array stays an array after every write, whoever made it", async () => {
    const read = async () => JSON.parse(gunzipSync(await readFile(join(folder, "a.json.gz"))).toString());
    const arrays = [undefined, "[]", "[ ]\n", '[{"id":1}]', '[\n  {"id": 1}\n]\n\n', '[{"id":1},\n{"id"'];
    for (const before of arrays) {
      if (before === undefined) await rm(join(folder, "a.json.gz"), { force: true });
      else await put("a.json.gz", gzipSync(before));
      const had = before?.includes("}") ? [{ id: 1 }] : [];
      const destination = await open("a.json.gz", "append");
      await destination.write(batchOf({ id: 2 }, { id: 3 }));
      expect(await read()).toEqual([...had, { id: 2 }, { id: 3 }]);
      await destination.write(batchOf({ id: 4 }));
      await destination.complete();
      await destination.close();
      await append("a.json.gz", { id: 5 });
      expect(await read()).toEqual([...had, { id: 2 }, { id: 3 }, { id: 4 }, { id: 5 }]);
    }
    expect(await readdir(folder)).toEqual(["a.json.gz"]);
  });

  test("a compressed array is cut back to its checkpoint when a run goes on", async () => {
    const first = await open("a.json.gz", "append");
    const { state } = await first.write(batchOf({ id: 1 }));
    await first.write(batchOf({ id: 2 }));
    await first.close();
    const second = await open("a.json.gz", "append", state!);
    await second.write(batchOf({ id: 2 }));
    await second.complete();
    await second.close();
    expect(JSON.parse(gunzipSync(await readFile(join(folder, "a.json.gz"))).toString())).toEqual([
      { id: 1 },
      { id: 2 },
    ]);
  });

  test("of an array that a later owner has taken over a former one that wakes up changes nothing", async () => {
    for (const [name, content] of [
      ["a.json", contentOf],
      ["a.json.gz", async (path: string) => gunzipSync(await readFile(join(folder, path))).toString()],
    ] as const) {
      const former = await open(name, "append");
      const { state } = await former.write(batchOf({ id: 1 }));
      await former.write(batchOf({ id: 2 }));
      const owner = await open(name, "append", state!);
      expect(JSON.parse(await content(name))).toEqual([{ id: 1 }, { id: 2 }]);
      await owner.write(batchOf({ id: 2 }, { id: 3 }));
      await expect(former.write(batchOf({ id: 9 }))).rejects.toMatchObject({ name: "StaleOwnerError" });
      await owner.write(batchOf({ id: 4 }));
      expect(JSON.parse(await content(name))).toEqual([1, 2, 3, 4].map((id) => ({ id })));
      await owner.complete();
      await Promise.all([former.close(), owner.close()]);
      expect(await readdir(folder)).toEqual([name]);
      await rm(join(folder, name));
    }
  });

  test("an array's permissions stay, and one that was moved away is not written on", async () => {
    await put("a.json", '[{"id":1}]');
    await chmod(join(folder, "a.json"), 0o640);
    const destination = await open("a.json", "append");
    await destination.write(batchOf({ id: 2 }));
    expect((await stat(join(folder, "a.json"))).mode & 0o777).toBe(0o640);
    await rename(join(folder, "a.json"), join(folder, "moved.json"));
    await expect(destination.write(batchOf({ id: 3 }))).rejects.toMatchObject({ name: "StaleOwnerError" });
    await destination.close();
    expect(JSON.parse(await contentOf("moved.json"))).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test("a file that is no array, or a malformed one, is refused and left as it is", async () => {
    for (const content of ['{"id":1}', '[{"id":1}}, {"id":2}]', "text"]) {
      await put("a.json", content);
      await expect(open("a.json", "append")).rejects.toMatchObject({ path: "destination.stream" });
      expect(await contentOf("a.json")).toBe(content);
    }
    await put("a.json.gz", "text");
    await expect(open("a.json.gz", "append")).rejects.toMatchObject({ path: "destination.stream" });
  });

  test("rows keep the columns of the file's header", async () => {
    await put("a.csv", "b,a\n1,2\n");
    const destination = await open("a.csv", "append");
    const { failed } = await destination.write(batchOf({ a: "x" }, { c: 1 }, { a: 'q"', b: "l\n" }, 5, {}));
    await destination.close();
    expect(await contentOf("a.csv")).toBe('b,a\n1,2\n,x\n"l\n","q"""\n,\n');
    expect(failed?.map(({ index }) => index)).toEqual([1, 3]);
    expect(failed?.[0]?.message).toBe('The field "c" has no column: the file\'s header does not name it.');
  });

  test("values of any type become cells, with every digit of a number", async () => {
    const long = JSON.parse('{"n":12345678901234567890.5}', (_, value, context: { source?: string }) =>
      typeof value === "number" ? JSON.rawJSON(context.source!) : value,
    ) as Json;
    await append("a.csv", { t: true, z: null, o: { a: [1] }, ...(long as { n: Json }), f: "=1+1" });
    expect(await contentOf("a.csv")).toBe('t,z,o,n,f\ntrue,,"{""a"":[1]}",12345678901234567890.5,=1+1\n');
  });

  test("a single empty cell is not an empty line", async () => {
    await append("a.csv", { a: "" }, { a: "x" });
    expect(await contentOf("a.csv")).toBe('a\n""\nx\n');
  });

  test("batches that come again after a crash are not written twice, however they are cut", async () => {
    const first = await open("a.ndjson", "append");
    const { state } = await first.write(batchOf(1));
    await first.write(batchOf(2, 3));
    await first.write(batchOf(4));
    await first.close();
    await appendFile(join(folder, "a.ndjson"), "5");
    const second = await open("a.ndjson", "append", state!);
    await second.write(batchOf(2));
    await second.write(batchOf(3, 4, 55));
    await second.write(batchOf(6));
    await second.close();
    expect(await contentOf("a.ndjson")).toBe("1\n2\n3\n4\n55\n6\n");
  });

  test("a batch that a crash left half is not there twice where its rest fails at first", async () => {
    const first = await open("a.ndjson", "append");
    const { state } = await first.write(batchOf(1));
    await first.write(batchOf(2, 3));
    await first.close();
    const second = await open("a.ndjson", "append", state!);
    const full = new Error("no room");
    const spied = vi.spyOn(Output.prototype, "append").mockRejectedValueOnce(full);
    await expect(second.write(batchOf(2, 3, 4))).rejects.toThrow(full);
    spied.mockRestore();
    await second.write(batchOf(2, 3, 4));
    await second.write(batchOf(5));
    await second.close();
    expect(await contentOf("a.ndjson")).toBe("1\n2\n3\n4\n5\n");
  });

  test.each<[string, string, string]>([
    ["a.ndjson", "", '{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n'],
    ["a.ndjson", '{"id":0}', '{"id":0}\n{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n'],
    ["a.csv", "", "id\n1\n2\n3\n4\n"],
    ["a.csv", "id\n0\n", "id\n0\n1\n2\n3\n4\n"],
    ["a.json", "", '[\n{"id":1},\n{"id":2},\n{"id":3},\n{"id":4}\n]\n'],
    ["a.json", '[\n{"id":0}\n]\n', '[\n{"id":0},\n{"id":1},\n{"id":2},\n{"id":3},\n{"id":4}\n]\n'],
  ])("to %s (%j) what a run wrote before its first checkpoint is not written twice", async (stream, before, after) => {
    if (before !== "") await put(stream, before);
    const first = await open(stream, "append");
    await first.write(batchOf({ id: 1 }));
    await first.write(batchOf({ id: 2 }, { id: 3 }));
    await first.close();
    const second = await open(stream, "append");
    await second.write(batchOf({ id: 1 }, { id: 2 }));
    await second.write(batchOf({ id: 3 }, { id: 4 }));
    await second.complete();
    await second.close();
    expect(await contentOf(stream)).toBe(after);
    // Another run appends the same once more, and leaves nothing beside the file.
    const next = await open(stream, "append", null, 3);
    await next.write(batchOf({ id: 1 }));
    await next.complete();
    await next.close();
    expect((await contentOf(stream)).match(/1/g)).toHaveLength(2);
    expect(await readdir(folder)).toEqual([stream]);
  });

  test("what is kept of a run's beginning goes with a later run, where the run was given up", async () => {
    const begins = async () => (await readdir(folder)).filter((name) => name.endsWith(".begin"));
    for (const run of [2, 3]) {
      const destination = await open("a.ndjson", "append", null, run);
      await destination.write(batchOf({ id: run }));
      await destination.close();
      expect(await begins()).toEqual([`.a.ndjson.${runId(run)}.begin`]);
    }
  });

  test("a folder that takes no beginning is told of, and the file is appended to all the same", async () => {
    await put("a.ndjson", '{"id":0}\n');
    await chmod(folder, 0o555);
    try {
      const destination = await open("a.ndjson", "append");
      // The superuser may write everywhere.
      const isAllowed = process.getuid?.() === 0;
      const told = [expect.stringContaining(`${folder} takes no file`)];
      expect(destination.warnings).toEqual(isAllowed ? [] : told);
      await destination.write(batchOf({ id: 1 }));
      await destination.close();
    } finally {
      await chmod(folder, 0o755);
    }
    expect(await contentOf("a.ndjson")).toBe('{"id":0}\n{"id":1}\n');
    const next = await open("a.ndjson", "append");
    expect(next.warnings).toEqual([]);
    await next.close();
  });

  test("what another program appended meanwhile stays, and other batches follow it", async () => {
    const first = await open("a.ndjson", "append");
    const { state } = await first.write(batchOf(1));
    await first.write(batchOf(2));
    await first.close();
    await appendFile(join(folder, "a.ndjson"), '"other"\n');
    const second = await open("a.ndjson", "append", state!);
    await second.write(batchOf(2));
    await second.write(batchOf(3));
    await second.close();
    expect(await contentOf("a.ndjson")).toBe('1\n2\n"other"\n3\n');
  });
});

describe("replace", () => {
  test("a former owner that wakes up writes to a file of its own, whether anything was committed before or not", async () => {
    for (const committed of [false, true]) {
      const former = await open("a.ndjson", "replace");
      const { state } = (await former.write(batchOf({ id: 1 }))) ?? {};
      const owner = await open("a.ndjson", "replace", committed ? state! : null);
      if (!committed) await owner.write(batchOf({ id: 1 }));
      await owner.write(batchOf({ id: 2 }, { id: 3 }));
      await former.write(batchOf({ id: 9 }));
      await owner.complete();
      await former.write(batchOf({ id: 9 }));
      expect(await contentOf("a.ndjson")).toBe('{"id":1}\n{"id":2}\n{"id":3}\n');
      await Promise.all([owner.close(), former.close()]);
      expect((await readdir(folder)).sort()).toEqual(["a.ndjson"]);
    }
  });

  test("a former owner that wakes up puts no part in the file's place, neither its own nor another's", async () => {
    const former = await open("a.ndjson", "replace");
    const { state } = await former.write(batchOf({ id: 1 }));
    const owner = await open("a.ndjson", "replace", state!);
    await owner.write(batchOf({ id: 2 }));
    await expect(former.complete()).rejects.toMatchObject({ name: "StaleOwnerError" });
    // One that had not begun to write yet takes the part away: that is told, and nothing of it becomes the file.
    const late = await open("a.ndjson", "replace");
    await late.write(batchOf({ id: 9 }));
    await expect(owner.complete()).rejects.toMatchObject({ name: "StaleOwnerError" });
    expect(await readdir(folder)).not.toContain("a.ndjson");
    await Promise.all([former.close(), owner.close(), late.close()]);
  });

  test("readers see the old file until the run is complete, and its permissions stay", async () => {
    await put("a.ndjson", "old");
    await chmod(join(folder, "a.ndjson"), 0o640);
    const destination = await open("a.ndjson", "replace");
    await destination.write(batchOf({ id: 1 }));
    expect(await contentOf("a.ndjson")).toBe("old");
    await destination.complete();
    await destination.complete();
    await destination.close();
    expect(await contentOf("a.ndjson")).toBe('{"id":1}\n');
    expect((await stat(join(folder, "a.ndjson"))).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(["a.ndjson"]);
  });

  test("parts of earlier runs are removed, those of other files and later runs are not", async () => {
    const kept = [`.a.ndjson.${runId(3)}.part`, `.b.ndjson.${runId(1)}.part`, ".a.ndjson.notes.part"].sort();
    for (const name of [...kept, `.a.ndjson.${runId(1)}.part`]) await put(name, "");
    const destination = await open("a.ndjson", "replace");
    await destination.complete();
    await destination.close();
    expect((await readdir(folder)).sort()).toEqual([...kept, "a.ndjson"]);
  });

  test("a run that died between the rename and its checkpoint ends with every record once", async () => {
    for (const name of ["a.json", "a.csv", "a.ndjson.gz"]) {
      const first = await open(name, "replace");
      const { state } = await first.write(batchOf({ id: 1 }));
      await first.write(batchOf({ id: 2 }));
      await first.complete();
      await first.close();
      const before = await readFile(join(folder, name));
      const second = await open(name, "replace", state!);
      await second.write(batchOf({ id: 2 }));
      await second.complete();
      await second.close();
      expect(await readFile(join(folder, name))).toEqual(before);
    }
  });

  test("nothing is made before there is something to write", async () => {
    for (const mode of ["append", "replace"] as const) {
      const destination = await open("new.ndjson", mode);
      await destination.close();
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("a part that was removed while its run was stopped is reported, not begun anew", async () => {
    const first = await open("a.ndjson", "replace");
    const { state } = await first.write(batchOf({ id: 1 }));
    await first.close();
    await rm(join(folder, `.a.ndjson.${runId(2)}.part`));
    await expect(open("a.ndjson", "replace", state!)).rejects.toMatchObject({
      code: "CONFLICT",
      fault: "destination",
      path: "destination.stream",
    });
  });
});

describe("what cannot be written", () => {
  test("a missing folder, a folder in the file's place and a glob are refused before anything is written", async () => {
    for (const mode of ["append", "replace"] as const) {
      await expect(open("sub/a.ndjson", mode)).rejects.toMatchObject({
        code: "NOT_FOUND",
        path: "destination.stream",
        message: `${join(folder, "sub")} does not exist.`,
      });
      for (const stream of ["*.ndjson", "../a.ndjson", "."]) {
        await expect(open(stream, mode)).rejects.toMatchObject({ path: "destination.stream" });
      }
    }
    await expect(open("a.ndjson", "upsert")).rejects.toMatchObject({ path: "destination.mode" });
    expect(await readdir(folder)).toEqual([]);
  });

  test.runIf(process.platform === "linux")("a full disk is the destination's fault and says where", async () => {
    const connector = file.create({ path: "/dev" }, { dataDir: folder, fileRoots: ["/dev"] });
    const signal = new AbortController().signal;
    const options = { stream: "full", mode: "append", key: [], runId: runId(1), state: null, signal } as const;
    const destination = await connector.openDestination!(options);
    await expect(destination.write(batchOf({ id: 1 }))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      fault: "destination",
      message: "/dev/full cannot be written: the disk is full.",
    });
    await destination.close();
  });
});
