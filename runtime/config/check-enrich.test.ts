// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { postgres } from "../../connectors/postgres/index.ts";
import type { ConnectorType, JsonObject } from "../../connectors/sdk/index.ts";
import { checkIntegration } from "./index.ts";

const deaf = { ...postgres, type: "deaf", capabilities: { source: { modes: ["full"] } } } as ConnectorType;
const connectors = new Map<string, ConnectorType | null>([
  ["db", postgres as ConnectorType],
  ["deaf", deaf],
  ["strange", null],
]);

function check(step: JsonObject, allConnectorsKnown = true) {
  const enrich = { id: "e", type: "enrich", connector: "db", request: good, merge_at: "customer", ...step };
  const spec = {
    name: "shop",
    source: { connector: "db", stream: "orders" },
    destination: { connector: "db", stream: "out" },
    pipeline_spec: { steps: [enrich] },
  } as unknown as JsonObject;
  const validator = createValidator();
  const found = checkIntegration(spec, { validator, connectors, allConnectorsKnown, checkCron: () => undefined });
  const lines = ({ path, message }: { path: string; message: string }) =>
    `${path.replace("pipeline_spec.steps[0].", "")}: ${message}`;
  return { errors: found.errors.map(lines), warnings: found.warnings.map(lines) };
}

const good = { stream: "customers", by: { id: "{{ $.customer_id }}" } };

test.each<[string, JsonObject]>([
  ["templates, constants and all options", { cache: { ttl: "0s", max_entries: 1 }, on_missing: "null" }],
  ["null as YAML reads the word", { on_missing: null }],
  ["a query with parameters", { request: { query: "by_mail", params: ["{{ $.mail | lower }}", 7] } }],
  [
    "a template where the schema wants more than a text with holes can say",
    { request: { stream: "{{ $.t }}", by: { a: 1 } } },
  ],
  ["a reference", { request: { stream: "customers", by: { key: "${env:SLUICE_SECRET_KEY}" } } }],
  ["a connector of an unknown type", { connector: "strange", request: { anything: true } }],
])("taken: %s", (_what, step) => {
  expect(check(step)).toEqual({ errors: [], warnings: [] });
});

test.each<[JsonObject, string]>([
  [{ connector: "bd" }, 'connector: unknown connector "bd"; did you mean "db"?'],
  [{ connector: "deaf" }, "connector: connectors of type deaf cannot look anything up"],
  [{ merge_at: "$.a" }, 'merge_at: a field path does not begin with "$"; write "a"'],
  [{ merge_at: "[0].a" }, "merge_at: a record is an object: a path in it begins with a name"],
  [{ request: { ...good, by: { id: "{{ $.a" } } }, 'request.by.id: this "{{" is not closed'],
  [{ request: { query: "q", params: ["ok", "{{ $..[ }}"] } }, "request.params[1]: "],
  [{ request: { ...good, by: { id: "${env:HOME}" } } }, "request.by.id: ${env:HOME} is refused"],
  [{ request: { ...good, by: { id: "${env:{{ $.a }}}" } } }, "request.by.id: ${env:{{ $.a } is refused"],
  [{ request: { stream: "customers", by: {} } }, "request"],
  [{ request: { table: "customers" } }, "request"],
  [{ request: { stream: 7, by: { a: 1 } } }, "request"],
  [{ request: "text" }, "request: must be an object, not a string"],
  [{ cache: { ttl: "soon" } }, "cache.ttl: must be a duration"],
  [{ on_missing: "ignore" }, "on_missing: must be one of fail, skip, null"],
])("refused: %j", (step, message) => {
  const { errors } = check(step);
  expect(errors[0]).toContain(message);
  expect(errors).toHaveLength(1);
});

test("where not all connectors are known, one that is not is warned of", () => {
  const { errors, warnings } = check({ connector: "elsewhere" }, false);
  expect(errors).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining("connector: connector elsewhere is not in these files")]);
});
