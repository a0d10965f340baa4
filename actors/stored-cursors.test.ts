import { expect, test } from "vitest";
import type { Cursor } from "../connectors/sdk/index.ts";
import { StoredCursors } from "./stored-cursors.ts";

test("a source is told of a batch once that one and all before it are in the log", () => {
  const told: Cursor[] = [];
  const stored = new StoredCursors({
    read: () => [] as unknown as AsyncIterable<never>,
    stored: (cursor) => told.push(cursor),
    close: async () => {},
  });
  const [first, second, third, fourth] = [1, 2, 3, 4].map((cursor) => stored.appending(cursor));
  second!();
  third!();
  expect(told).toEqual([]);
  first!();
  expect(told).toEqual([3]);
  fourth!();
  expect(told).toEqual([3, 4]);
});
