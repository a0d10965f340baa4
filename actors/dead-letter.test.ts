import { expect, test } from "vitest";
import { recordId } from "../runtime/pipeline/index.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";
import { idBase, ordinalOf, placeOf } from "./dead-letter.ts";
import { provenanceOf } from "./steps.ts";

const source = JSON.stringify(["sqlite", "goods", "incremental", null]);
const header = (ordinals: readonly (number | string)[], more: object = {}) =>
  ({ source, position: { base: "goods", offset: 0, ordinals }, ...more }) as unknown as BatchHeader;
const long = ["9007199254740993", "9007199254740994", "18446744073709551615"];

test("records whose ordinals a double does not hold have ids of their own, and small ones keep theirs", () => {
  const { recordId: idOf } = provenanceOf("i", header([7, ...long]));
  const ids = [0, 1, 2, 3].map((origin) => idOf(origin, ""));
  expect(new Set(ids).size).toBe(4);
  expect(ids[0]).toBe(recordId("i", "goods", 7));
  expect(provenanceOf("i", header([7])).recordId(0, "")).toBe(ids[0]);
});

test.each([{}, { sources: {} }])("a dead letter's place makes the same id when it is replayed (%j)", (more) => {
  const read = header([7, ...long], more);
  const { recordId: idOf } = provenanceOf("i", read);
  for (const origin of [0, 1, 2, 3]) {
    expect(recordId("i", idBase(read, origin), ordinalOf(read, origin))).toBe(idOf(origin, ""));
    const { base, ordinal } = placeOf(read, origin);
    // As a replay makes it of what the dead letter says.
    const known = "sources" in more ? JSON.stringify(["sqlite", "goods", base]) : base;
    expect(recordId("i", known, ordinal)).toBe(idOf(origin, ""));
  }
  expect(placeOf(read, 1)).toEqual({ base: "goods#9007199254740993", ordinal: 0 });
});
