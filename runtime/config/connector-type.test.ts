import { expect, test } from "vitest";
import { compareVersions, findType, unknownType } from "./connector-type.ts";

const types = ["1.0.0", "1.2.0", "1.10.1", "2.0.0-rc.1"].map((version) => ({ type: "crm", version }));

test.each([
  ["crm", "1.10.1"],
  ["crm@1", "1.10.1"],
  ["crm@1.2", "1.2.0"],
  ["crm@1.1", undefined],
  ["crm@1.0.0", "1.0.0"],
  ["crm@2", "2.0.0-rc.1"],
  ["crm@2.0.0-rc.1", "2.0.0-rc.1"],
  ["crm@", undefined],
  ["crm@v1", undefined],
  ["CRM", undefined],
])("%s is %s", (reference, version) => {
  expect(findType(types, reference)?.version).toBe(version);
});

test("versions are ordered as semantic versions are, what comes before a release first", () => {
  const ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1"];
  const all = [...ordered, "1.0.0", "1.2.0", "1.10.0", "2.0.0"];
  expect(all.toReversed().sort(compareVersions)).toEqual(all);
  expect(compareVersions("1.0.0+build.1", "1.0.0")).toBe(0);
});

test("what is not there is said, name or version", () => {
  expect(unknownType(types, "crn")).toContain('did you mean "crm"');
  expect(unknownType(types, "crm@3")).toBe(
    "there is no version 3 of the connector type crm; there is 1.0.0, 1.2.0, 1.10.1, 2.0.0-rc.1",
  );
});
