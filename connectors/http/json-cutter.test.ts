import { expect, test } from "vitest";
import type { Json } from "../sdk/index.ts";
import { CutError, type Cutter, LineCutter, WholeCutter } from "./cutter.ts";
import { JsonCutter } from "./json-cutter.ts";

type Make = (take: (buffer: Buffer, start: number, end: number) => void) => Cutter;

function cut(make: Make, text: string | Buffer, size: number) {
  const records: string[] = [];
  const cutter = make((buffer, start, end) => records.push(buffer.toString("utf8", start, end)));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) cutter.push(bytes.subarray(at, at + size));
  return { around: cutter.end(), records };
}

const json =
  (...path: string[]): Make =>
  (take) =>
    new JsonCutter(path, take);

const documents: readonly [path: string[], document: Json, records: Json[], around: Json][] = [
  [[], [1, "a", null, true, [1, [2]], { a: { b: [] } }, {}], [1, "a", null, true, [1, [2]], { a: { b: [] } }, {}], []],
  [[], [], [], []],
  [[], { id: 1, list: [1] }, [{ id: 1, list: [1] }], { id: 1, list: [1] }],
  [
    ["data"],
    { next: "x", data: [{ a: 1 }, { a: '"]},{\\' }], more: [1] },
    [{ a: 1 }, { a: '"]},{\\' }],
    { next: "x", data: [], more: [1] },
  ],
  [
    ["data", "items"],
    { items: [9], data: { data: [8], x: { items: [7] }, items: ["é", "\u2028\n"], y: 1 }, z: { data: { items: [6] } } },
    ["é", "\u2028\n"],
    { items: [9], data: { data: [8], x: { items: [7] }, items: [], y: 1 }, z: { data: { items: [6] } } },
  ],
  [
    ["data"],
    { other: { data: [1] }, list: ["data", { data: [2] }], data: [3] },
    [3],
    { other: { data: [1] }, list: ["data", { data: [2] }], data: [] },
  ],
  [['a"b\u00e9'], { 'a"b\u00e9': [1] }, [1], { 'a"b\u00e9': [] }],
  [["data"], { data: { id: 7 } }, [{ id: 7 }], { data: { id: 7 } }],
  [["data"], { data: null }, [], { data: null }],
  [
    ["a", "b", "c"],
    { a: { b: { d: [], c: [[1]] }, b2: 1 }, c: [] },
    [[1]],
    { a: { b: { d: [], c: [] }, b2: 1 }, c: [] },
  ],
];

test.each(documents)("records at %j are cut out of %j, however it is split", (path, document, records, around) => {
  for (const text of [JSON.stringify(document), `\ufeff \n${JSON.stringify(document, null, 3)}\r\n`]) {
    for (const size of [1, 2, 7, 1000]) {
      const found = cut(json(...path), text, size);
      expect(found.records.map((record) => JSON.parse(record))).toEqual(records);
      expect(found.records.join("")).not.toMatch(/[\n\r]/);
      expect(found.around).toEqual(around);
    }
  }
});

test("every digit of a number stays, in records and around them", () => {
  const { records, around } = cut(json("data"), '{"data":[{"n":90071992547409931.10}],"next":90071992547409931}', 5);
  expect(records).toEqual(['{"n":90071992547409931.10}']);
  expect(JSON.stringify(around)).toBe('{"data":[],"next":90071992547409931}');
});

test.each([
  ["", true],
  ["[", true],
  ['[{"a":1},', true],
  ['[{"a":1', true],
  ['{"data":[{"a":1}]', true],
  ['{"data":[1],"next":"x', true],
  ["[1}", false],
  ["[1,]", false],
  ["[,1]", false],
  ["[1]]", false],
  ["[] x", false],
  ["<html>", false],
  ["hello", false],
  ['["a\nb"]', false],
  ["{]", false],
])("%j is no whole answer", (text, isTorn) => {
  for (const size of [1, 100]) {
    const path = text.startsWith("{") ? ["data"] : [];
    let error: unknown;
    try {
      cut(json(...path), text, size);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CutError);
    if (!text.startsWith("{]")) expect((error as CutError).isTorn).toBe(isTorn);
  }
});

test("nothing at the path is an error, not an empty answer", () => {
  expect(() => cut(json("data"), '{"items":[]}', 9)).toThrow("nothing where its records should be");
});

test("a record or an answer beside the records that grows beyond the limit is refused", () => {
  const cutter = new JsonCutter([], () => {});
  const piece = Buffer.alloc(1024 * 1024, "x");
  cutter.push(Buffer.from('["'));
  expect(() => {
    for (let i = 0; i < 20; i++) cutter.push(piece);
  }).toThrow("16 MiB");
  const around = new JsonCutter(["data"], () => {});
  around.push(Buffer.from('{"a":"'));
  expect(() => {
    for (let i = 0; i < 20; i++) around.push(piece);
  }).toThrow("16 MiB");
});

test("an array without end is read in a window that does not grow", () => {
  let count = 0;
  const cutter = new JsonCutter([], () => count++);
  cutter.push(Buffer.from("[0"));
  const piece = Buffer.from(`,${JSON.stringify({ text: "x".repeat(1000) })}`.repeat(64));
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2000; i++) cutter.push(piece);
  expect(count).toBe(128_001);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
});

test("lines are records, blank ones are none, and the last needs no end", () => {
  for (const size of [1, 3, 100]) {
    const { records } = cut((take) => new LineCutter(take), '{"a":1}\r\n\n  {"b":"é"}\n \n[3]', size);
    expect(records).toEqual(['{"a":1}', '{"b":"é"}', "[3]"]);
  }
});

test("records that stand in no single array are found in the answer as a whole", () => {
  const find = (document: Json) => (document as { v: Json }[]).map(({ v }) => v);
  const { records } = cut((take) => new WholeCutter(find, take), '[{"v":1},{"v":{"n":90071992547409931}}]', 4);
  expect(records).toEqual(["1", '{"n":90071992547409931}']);
});
