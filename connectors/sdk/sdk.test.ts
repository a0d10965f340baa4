import { describe, expect, test } from "vitest";
import {
  BatchBuilder,
  batchOf,
  clipped,
  fromBase64,
  inferSchema,
  type Json,
  nearest,
  parseDuration,
  parseRetryAfter,
  type ReadBatch,
  rawLimit,
} from "./index.ts";

describe("durations", () => {
  test("an integer and one unit are milliseconds", () => {
    const given = ["0ms", "250ms", "5s", "10m", "2h", "30d"];
    expect(given.map(parseDuration)).toEqual([0, 250, 5_000, 600_000, 7_200_000, 2_592_000_000]);
  });

  test("anything else is refused by name", () => {
    for (const text of ["", "5", "s", "1.5s", "-1s", "05s", "5 s", "5S", "1h30m", "99999999999999999d"]) {
      expect(() => parseDuration(text)).toThrow(RangeError);
    }
  });
});

test("a text that is cut keeps its characters whole", () => {
  expect(["abcd", "abcde", "abc😀", "ab😀c", "ab\ud83d"].map((text) => clipped(text, 4))).toEqual([
    ...["abcd", "abcd…", "abc…", "ab😀…", "ab\ud83d"],
  ]);
});

describe("batches", () => {
  const textOf = (batch: ReadBatch | undefined) => batch && Buffer.from(batch.data).toString();

  test("batchOf gives a text a record, without LF in it", () => {
    const batch = batchOf([{ a: "x\ny" }, 2], { at: 2 }, { base: "t", offset: 1 });
    expect(textOf(batch)).toBe('{"a":"x\\ny"}\n2');
    expect(batch).toMatchObject({ count: 2, cursor: { at: 2 }, position: { base: "t", offset: 1 } });
  });

  test("a batch is complete with its last record by number, and before the one too many by bytes", () => {
    const builder = new BatchBuilder("t", { records: 3, bytes: 9 });
    expect(builder.add("1", 1, 1)).toBeUndefined();
    expect(builder.add("2", 2, 2)).toBeUndefined();
    expect(builder.add("3", 3, 3)).toMatchObject({ count: 3, cursor: 3, position: { base: "t", offset: 1 } });
    expect(builder.add('"éé"', 4, 4)).toBeUndefined();
    const full = builder.add('"é"', 5, 5);
    expect([textOf(full), full?.cursor]).toEqual(['"éé"', 4]);
    expect(textOf(builder.flush())).toBe('"é"');
    expect(builder.flush()).toBeUndefined();
  });

  test("a record larger than a batch is one of its own", () => {
    const builder = new BatchBuilder("t", { records: 10, bytes: 5 });
    builder.add("1", 1, 1);
    expect(textOf(builder.add("1234567890", 2, 2))).toBe("1");
    expect(textOf(builder.add("3", 3, 3))).toBe("1234567890");
  });

  test("numbers that do not follow one another are listed", () => {
    const builder = new BatchBuilder("t", { records: 10, bytes: 100 });
    for (const ordinal of [2, 3, 7]) builder.add("0", ordinal, ordinal);
    expect(builder.flush()?.position).toEqual({ base: "t", offset: 2, ordinals: [2, 3, 7] });
  });

  test("a failure stands in its place wherever the batch is cut, its raw text cut off", () => {
    const failure = { code: "VALIDATION_ERROR", message: "bad", raw: Buffer.alloc(rawLimit + 1) } as const;
    for (const records of [1, 2, 3]) {
      const builder = new BatchBuilder("t", { records, bytes: 100 });
      const batches = [
        builder.add("1", 1, 1),
        builder.fail(failure, 2, 2),
        builder.add("3", 3, 3),
        builder.fail(failure, 4, 4),
        builder.flush(),
      ].filter((batch) => batch !== undefined);
      const failed = batches.flatMap((batch) =>
        (batch.failures ?? []).map(({ index, raw }) => [batch.position.offset + index, raw.length]),
      );
      expect(failed).toEqual([
        [2, rawLimit],
        [4, rawLimit],
      ]);
      expect(batches.map(textOf).join("\n")).toBe("1\nnull\n3\nnull");
    }
  });
});

test("a schema is inferred that names the types seen and the members that none lacks", () => {
  const values: Json[] = [
    { id: 1, tags: ["a"], at: null },
    { id: 2.5, tags: [], at: "x", more: { deep: true } },
  ];
  expect(inferSchema(values)).toEqual({
    type: "object",
    properties: {
      id: { type: "number" },
      tags: { type: "array", items: { type: "string" } },
      at: { type: ["null", "string"] },
      more: { type: "object", properties: { deep: { type: "boolean" } }, required: ["deep"] },
    },
    required: ["id", "tags", "at"],
  });
  expect(inferSchema([])).toEqual({});
  const polluting = inferSchema([JSON.parse('{"__proto__":1}') as Json]) as { properties: object };
  expect(Object.keys(polluting.properties)).toEqual(["__proto__"]);
  expect(Object.getPrototypeOf(polluting.properties)).toBe(Object.prototype);
});

test("the nearest name is the one meant, and there is none when nothing is close", () => {
  const names = ["customers", "orders", "order_items"];
  expect(nearest("costumers", names)).toBe("customers");
  expect(nearest("Order", names)).toBe("orders");
  expect(nearest("invoices", names)).toBeUndefined();
});

test("Base64 is read whole or not at all", () => {
  for (const text of ["", "aGk=", "aGk", "/wo="]) expect(fromBase64(text)).toEqual(Buffer.from(text, "base64"));
  for (const text of ["aGk!", "a", "aGk==a", "hello world", "_wo="]) expect(fromBase64(text)).toBeUndefined();
});

test.each([
  ["0", undefined],
  ["86400", 3_600_000],
  ["9".repeat(27), 3_600_000],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 37_000],
  ["Sunday, 06-Nov-94 08:49:37 GMT", 37_000],
  ["Sun Nov  6 08:49:37 1994", 37_000],
  ["Sun, 06 Nov 1994 08:48:37 GMT", undefined],
  ["1.5", undefined],
  ["-1", undefined],
  ["soon", undefined],
  ["Sun, 99 Nov 1994 08:49:37 GMT", undefined],
  ["", undefined],
])("Retry-After %j is %s ms", (header, ms) => {
  expect(parseRetryAfter(header, Date.parse("1994-11-06T08:49:00Z"))).toBe(ms);
});
