import { expect, test } from "vitest";
import type { PreviewedRecord } from "../../api/types.ts";
import { marksOf, previewErrors } from "./marks.ts";

const text = '{\n  "a": {\n    "b": "x"\n  }\n}';
const marked = (path: string) =>
  marksOf(text, [{ path, message: "is wrong" }]).map(({ from, to }) => text.slice(from, to));

test("an error stands at its field, or at the nearest one above it, and nowhere where there is none", () => {
  expect(["a.b", "$.a.b", "/a/b", "a.c"].map(marked)).toEqual([['"b"'], ['"b"'], ['"b"'], ['"a"']]);
  expect(["z", ""].map(marked)).toEqual([[], []]);
});

test("what a step refuses is told by the fields that it names, else by the field that its rule reads", () => {
  const failure = {
    child: "",
    code: "VALIDATION_ERROR",
    message: "is wrong",
    errors: [],
    on_error: "dead_letter",
  } as const;
  const shown = { count: 0, records: [] };
  const step = (failures: PreviewedRecord["steps"][number]["failures"]) => ({
    record_id: "r",
    position: { base: "b", ordinal: 1 },
    record: {},
    status: "failed" as const,
    failure: null,
    steps: [{ step: "map", type: "map", in: shown, out: shown, failures }],
    destinations: [],
  });
  const integration = { name: "n", mapping_spec: [{ source: "$.n", destination: "n" }] };
  const named = [{ path: "a.b", message: "is no email" }];
  expect(previewErrors(step([{ ...failure, rule: null, errors: named }]), integration)).toEqual(named);
  expect(previewErrors(step([{ ...failure, rule: 0 }]), integration)).toEqual([{ path: "n", message: "is wrong" }]);
  expect(previewErrors(step([{ ...failure, rule: null }]), integration)).toEqual([]);
});
