import { afterAll, expect, test } from "vitest";
import { createSandbox } from "../../adapters/isolate/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { MappingFailure } from "../mapping/index.ts";
import { noStepCounts } from "../ports/ledger.ts";
import type { Flow } from "./flow.ts";
import { compileMap } from "./map.ts";
import type { StepContext } from "./step.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.close());

const flow: Flow = { origins: [3, 3, 5], values: [{ n: 1 }, { n: "x" }, { n: 3 }], children: ["0", "1", ""] };

const context: StepContext = {
  scope: "test",
  now: 0,
  recordId: (origin, child) => `${origin}/${child}`,
  meta: (origin, child) => ({ record_id: `${origin}/${child}` }),
  absorbed: () => {},
  signal: new AbortController().signal,
};

async function run(rules: readonly JsonObject[]) {
  const failed: [number, unknown][] = [];
  const output = compileMap(rules, { sandbox })(
    flow,
    (index, error) => failed.push([index, error]),
    context,
    noStepCounts(),
  );
  return { given: output, output: await output, failed };
}

test("a mapping without scripts gives no promise; what a rule refuses fails by its place", async () => {
  const { given, output, failed } = await run([{ source: "$.n", destination: "n", cast: "integer" }]);
  expect(given).toEqual(output);
  expect(given).toEqual({ origins: [3, 5], values: [{ n: 1 }, { n: 3 }], children: ["0", ""] });
  expect(failed).toEqual([[1, expect.any(MappingFailure)]]);
});

test("scripts run once for a flow, with the meta of each record, and fail by its place", async () => {
  const { given, output, failed } = await run([
    { source: "$.n", destination: "n", transform: "value.toFixed(1)" },
    { transform: "meta.record_id", destination: "id", when: { js: "record.n > 1" } },
  ]);
  expect(given).toBeInstanceOf(Promise);
  expect(output).toEqual({ origins: [3, 5], values: [{ n: "1.0" }, { n: "3.0", id: "5/" }], children: ["0", ""] });
  expect(failed).toMatchObject([[1, { rule: 0, reason: "transform", code: "VALIDATION_ERROR" }]]);
});
