import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordsOf, textsOf } from "../conformance/index.ts";
import type { Json, ReadFailure } from "../sdk/index.ts";
import type { Bytes } from "./bytes.ts";
import { CsvReader } from "./csv-reader.ts";
import { JsonReader } from "./json-reader.ts";
import { NdjsonReader } from "./ndjson-reader.ts";
import type { Cut, Place } from "./reader.ts";
import { Window } from "./window.ts";

/** Content that comes a few bytes at a time, so that every record is torn somewhere. */
class Dripping implements Bytes {
  readonly #content: Buffer;
  readonly #step: number;
  #at = 0;

  constructor(content: Buffer, step: number) {
    this.#content = content;
    this.#step = step;
  }

  async read(into: Buffer, at: number): Promise<number> {
    const count = this.#content.copy(into, at, this.#at, this.#at + this.#step);
    this.#at += count;
    return count;
  }

  async skip(count: number): Promise<void> {
    this.#at += count;
  }

  async close(): Promise<void> {}
}

/** Many bytes between a beginning and an end. */
class Long implements Bytes {
  readonly #parts: [text: string, length: number][];
  #left: number;

  constructor(begin: string, length: number, end: string) {
    this.#parts = [
      [begin, begin.length],
      ["x", length],
      [end, end.length],
    ];
    this.#left = begin.length;
  }

  async read(into: Buffer, at: number): Promise<number> {
    const [text, length] = this.#parts[0] ?? ["", 0];
    const count = Math.min(this.#left, into.length - at);
    if (count > 0) into.fill(text.slice(text.length === 1 ? 0 : length - this.#left), at, at + count);
    this.#pass(count);
    return count;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0 && this.#parts.length > 0; ) {
      const passed = Math.min(left, this.#left);
      this.#pass(passed);
      left -= passed;
    }
  }

  async close(): Promise<void> {}

  #pass(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    this.#parts.shift();
    this.#left = this.#parts[0]?.[1] ?? 0;
  }
}

const readers = { ndjson: NdjsonReader, json: JsonReader, csv: CsvReader };

interface Given {
  readonly step?: number;
  readonly records?: number;
  readonly bytes?: number;
  readonly from?: Place | null;
}

async function cutsOf(
  format: keyof typeof readers,
  content: string | Buffer | Bytes,
  given: Given = {},
): Promise<Cut[]> {
  const { step = 1 << 20, records = 500, bytes = 100_000, from = null } = given;
  const isContent = typeof content === "string" || Buffer.isBuffer(content);
  const source = isContent ? new Dripping(Buffer.from(content), step) : content;
  const window = new Window(source, new AbortController().signal, format === "ndjson");
  if (from && format !== "csv") await window.skipTo(from.offset);
  const reader = new readers[format]({
    name: "data",
    window,
    aims: { records, bytes },
    from,
    isComplete: () => true,
  });
  const cuts: Cut[] = [];
  for (let cut = await reader.next(); cut !== null; cut = await reader.next()) cuts.push(cut);
  return cuts;
}

/** Records with their numbers, and failures in their places. */
function flat(cuts: readonly Cut[]): [number, string | ReadFailure][] {
  return cuts.flatMap((cut) =>
    textsOf(batch(cut)).map((text, index): [number, string | ReadFailure] => [
      cut.ordinals?.[index] ?? cut.first + index,
      cut.failures?.find((failure) => failure.index === index) ?? text,
    ]),
  );
}

function batch(cut: Cut) {
  return { data: cut.data, count: cut.count, cursor: null, position: { base: "", offset: cut.first } };
}

const values = (cuts: readonly Cut[]): Json[] => recordsOf(cuts.map(batch));
const messages = (cuts: readonly Cut[]): string[] => cuts.flatMap((cut) => cut.failures ?? []).map((f) => f.message);
const raws = (cuts: readonly Cut[]): string[] =>
  cuts.flatMap((cut) => cut.failures ?? []).map((failure) => Buffer.from(failure.raw).toString());

/** However the content comes and wherever it is gone on with, the same is read. */
async function expectStable(format: keyof typeof readers, content: string, step: number): Promise<Cut[]> {
  const whole = await cutsOf(format, content);
  const single = await cutsOf(format, content, { step, records: 1 });
  expect(flat(single).map(withoutIndex)).toEqual(flat(whole).map(withoutIndex));
  const resumed = await cutsOf(format, content, { step, from: single[single.length >> 1]?.place ?? null });
  expect(flat(resumed).map(withoutIndex)).toEqual(
    flat(single.length === 0 ? [] : single.slice((single.length >> 1) + 1)).map(withoutIndex),
  );
  return whole;
}

function withoutIndex([ordinal, read]: [number, string | ReadFailure]): unknown {
  return typeof read === "string" ? [ordinal, read] : [ordinal, read.message, Buffer.from(read.raw).toString()];
}

const step = fc.integer({ min: 1, max: 40 });

describe("ndjson", () => {
  test("any lines are read as they stand, with their numbers", async () => {
    const line = fc.oneof(fc.json({ maxDepth: 2 }), fc.constant(""), fc.constant(" \t"), fc.constant("not json"));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        step,
        async (lines, end, last, step) => {
          const content = lines.map((text) => text + end).join("") + (last ? '{"last":1}' : "");
          const cuts = await expectStable("ndjson", content, step);
          const expected = content
            .split("\n")
            .flatMap((text, index) => (text.trim() === "" ? [] : [[index + 1, text]]));
          expect(flat(cuts)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a mark at the beginning is left out", async () => {
    expect(values(await cutsOf("ndjson", '\ufeff{"a":1}\n'))).toEqual([{ a: 1 }]);
  });

  test("a line of 512 MB is a failure with its length, held in part only, and the rest go on", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const cuts = await cutsOf("ndjson", new Long('{"a":1}\n', 512 * 1024 * 1024, '\n{"a":2}\n'));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * 1024 * 1024);
    expect(flat(cuts).map(([ordinal]) => ordinal)).toEqual([1, 2, 3]);
    expect(messages(cuts)).toEqual(["data line 2 has 512.0 MiB; the longest record is 16.0 MiB."]);
    expect(raws(cuts)[0]).toBe("x".repeat(64 * 1024));
    const after = new Long('{"a":1}\n', 512 * 1024 * 1024, '\n{"a":2}\n');
    expect(values(await cutsOf("ndjson", after, { from: cuts[1]!.place }))).toEqual([{ a: 2 }]);
  });

  test("a line just within the limit is a record", async () => {
    const cuts = await cutsOf("ndjson", `"${"x".repeat(16 * 1024 * 1024 - 2)}"\n1\n`);
    expect(messages(cuts)).toEqual([]);
    expect(cuts.map((cut) => cut.count)).toEqual([1, 1]);
  });
});

describe("json", () => {
  test("the elements of any array are read, however it is laid out", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.constantFrom(0, 1, "\t", "\r\n"),
        step,
        async (array, space, step) => {
          const content = ` ${JSON.stringify(array, null, space)}\n`;
          const cuts = await expectStable("json", content, step);
          expect(flat(cuts)).toEqual(array.map((value, index) => [index + 1, JSON.stringify(value)]));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("objects that follow one another are read, and so is a single one", async () => {
    expect(values(await expectStable("json", '{"a":1}{"a":2}\n {"a":\n3}', 2))).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(values(await cutsOf("json", '{\n "a": 1\n}\n'))).toEqual([{ a: 1 }]);
  });

  test("an empty document and an empty array have no records", async () => {
    for (const content of ["", " \n", "[]", "[ \n ]"]) expect(await cutsOf("json", content)).toEqual([]);
  });

  test("numbers and words keep what stands between them, so that no other value comes of it", async () => {
    const cuts = await cutsOf("json", "[1 2, tr ue, 12345678901234567890.10, -1e400]");
    expect(flat(cuts).map(([, text]) => text)).toEqual(["1 2", "tr ue", "12345678901234567890.10", "-1e400"]);
  });

  test("a line break within a string fails its element only", async () => {
    const cuts = await expectStable("json", '[{"a":1},{"a":"x\ny"},{"a":3}]', 3);
    expect(messages(cuts)).toEqual(["data element 2: a string in it holds a line break."]);
    expect(values(cuts)).toEqual([{ a: 1 }, null, { a: 3 }]);
  });

  test("where the structure breaks, what was read before passes and the rest is one failure with its place", async () => {
    const broken: [string, string, number][] = [
      ['[{"a":1},\n{"a":[2},{"a":3}]', 'line 2, column 8: "}" closes what was not opened', 1],
      ['[{"a":1}\n{"a":2}]', "line 2, column 1: a comma or the array's end was expected", 1],
      ['[{"a":1},,{"a":2}]', "line 1, column 10: an element was expected", 1],
      ['[{"a":1},]', "line 1, column 10: an element was expected", 1],
      ['[{"a":1}] x', "line 1, column 11: something follows the array's end", 1],
      ['[{"a":1},{"a":"', "line 1, column 16: the document ends before its last bracket", 1],
      ['[{"a":1}', "line 1, column 9: the document ends before its last bracket", 1],
      ['{"a":1} 2', "line 1, column 9: an object or the end was expected", 1],
      ["x", "line 1, column 1: the document is neither an array nor objects", 0],
    ];
    for (const [content, message, count] of broken) {
      const cuts = await expectStable("json", content, 4);
      expect(messages(cuts)).toEqual([`data is no well-formed JSON at ${message}. What follows was not read.`]);
      expect(values(cuts)).toEqual([...Array.from({ length: count }, () => ({ a: 1 })), null]);
    }
  });

  test("nesting of any depth is followed", async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(flat(await cutsOf("json", `[${deep},1]`)).map(([, text]) => text)).toEqual([deep, "1"]);
  });

  test("an element of 192 MB is a failure, held in part only, and the rest go on", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const cuts = await cutsOf("json", new Long('[{"a":1},{"b":"', 192 * 1024 * 1024, '"},{"a":3}]'));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * 1024 * 1024);
    expect(values(cuts)).toEqual([{ a: 1 }, null, { a: 3 }]);
    expect(messages(cuts)[0]).toBe("data element 2: it has 201326600 bytes, and the longest record 16777216.");
    expect(raws(cuts)[0]).toHaveLength(64 * 1024);
  });
});

describe("csv", () => {
  test("any table is read as another parser reads it", async () => {
    const cell = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.constantFrom('"', "\n", "a,b", "\r\n", '""', "é"),
    );
    const quoted = (text: string, force: boolean) =>
      force || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 12 }),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        step,
        async (rows, end, force, step) => {
          const content = ["x,y,z", ...rows.map((row) => row.map((text) => quoted(text, force)).join(","))].join(end);
          const cuts = await expectStable("csv", content, step);
          expect(messages(cuts)).toEqual([]);
          expect(values(cuts)).toEqual(
            parse(content, { columns: true, record_delimiter: end, skip_empty_lines: true }),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  test("rows have the number of the line they begin on", async () => {
    const cuts = await expectStable("csv", 'a,b\n1,"x\ny\nz"\n\n2,y\n', 3);
    expect(flat(cuts).map(([ordinal]) => ordinal)).toEqual([2, 6]);
  });

  test("a row that is no row is a failure with its raw text, and the rest go on", async () => {
    const content = 'a,b\n1,2,3\nonly\n"x"y,2\n1,"open\n3,4\n"ok",5" disk\n';
    const cuts = await expectStable("csv", content, 5);
    expect(messages(cuts)).toEqual([
      "data line 2: 3 fields where the header has 2.",
      "data line 3: 1 fields where the header has 2.",
      "data line 4: something follows a closing quote.",
      "data line 5: something follows a closing quote.",
    ]);
    expect(raws(cuts)).toEqual(["1,2,3", "only", '"x"y,2', '1,"open']);
    expect(values(cuts).slice(-2)).toEqual([
      { a: "3", b: "4" },
      { a: "ok", b: '5" disk' },
    ]);
  });

  test("a quote that is never closed costs its line only", async () => {
    const cuts = await expectStable("csv", 'a,b\r\n1,"open\r\n3,4\r\n5,6\r\n', 5);
    expect(messages(cuts)).toEqual(["data line 2: a quote is not closed."]);
    expect(values(cuts)).toEqual([null, { a: "3", b: "4" }, { a: "5", b: "6" }]);
  });

  test("a quote that is not closed within 16 MiB costs its line only", async () => {
    const rows = `${"x".repeat(99)},y\n`.repeat(180_000);
    const cuts = await cutsOf("csv", `a,b\n1,"open\n${rows}`, { records: 1_000_000, bytes: 1e9 });
    expect(messages(cuts)).toEqual(["data line 2: a quote is not closed."]);
    expect(cuts.reduce((sum, cut) => sum + cut.count, 0)).toBe(180_001);
  });

  test("columns without a name and names that come twice get names of their own", async () => {
    expect(values(await cutsOf("csv", "a,,a,a_2,__proto__\n1,2,3,4,5\n"))).toEqual([
      JSON.parse('{"a":"1","column_2":"2","a_3":"3","a_2":"4","__proto__":"5"}'),
    ]);
  });

  test("bytes that are no UTF-8 fail their row, and a replacement character in the file does not", async () => {
    const content = Buffer.concat([Buffer.from("a,b\nx,"), Buffer.from([0xff]), Buffer.from("\ny,\ufffd\n")]);
    const cuts = await cutsOf("csv", content);
    expect(messages(cuts)).toEqual(["data line 2: it is not UTF-8."]);
    expect(values(cuts)[1]).toEqual({ a: "y", b: "\ufffd" });
  });

  test("a file of a header only has no records, nor has an empty one", async () => {
    for (const content of ["", "a,b", "a,b\r\n", "\n\n"]) expect(await cutsOf("csv", content)).toEqual([]);
  });
});
