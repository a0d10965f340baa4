import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { openApi } from "../../gateway/rest/openapi.ts";
import { withComponents } from "../../gateway/rest/openapi-components.ts";
import { routes } from "../../gateway/rest/routes.ts";

const text = readFileSync(new URL("../vectors/openapi/schema.json", import.meta.url), "utf8");
// Ajv looks for the anchor in the wrong place; without another schema around this one both lead to the same.
const schema = JSON.parse(text.replaceAll('"$dynamicRef": "#meta"', '"$ref": "#/$defs/schema"'));
const document: object = JSON.parse(JSON.stringify(withComponents(openApi(routes, "0.0.0"))));
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const isDocument = ajv.compile(schema);

/** The JSON Schemas of the document, by their places. */
function* schemasIn(value: unknown, place = ""): Generator<[string, object]> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    const path = `${place}/${name}`;
    // What is below a schema is checked with it.
    if (name === "schema" || place === "/components/schemas") yield [path, each as object];
    else yield* schemasIn(each, path);
  }
}

test("the description of the API is OpenAPI 3.1 by the schema of the specification", () => {
  expect(document).toMatchObject({ openapi: expect.stringMatching(/^3\.1\.\d$/) });
  isDocument(document);
  expect(isDocument.errors ?? []).toEqual([]);
  // It can fail.
  for (const wrong of [
    { ...document, paths: { "no-slash": {} } },
    { ...document, info: {} },
    { ...document, extra: 1 },
  ])
    expect(isDocument(wrong)).toBe(false);
});

test("what may become of any request is told of all: a body that is refused, a store that takes too long", () => {
  const { paths } = document as { paths: Record<string, Record<string, { responses: object }>> };
  for (const { path, method } of routes)
    expect(paths[path]?.[method.toLowerCase()]?.responses, path).toMatchObject({ 503: {}, 504: {} });
  for (const { path, method } of routes.filter(({ method }) => method !== "GET"))
    expect(paths[path]?.[method.toLowerCase()]?.responses, path).toMatchObject({ 413: {}, 415: {} });
});

test("all schemas in it are JSON Schemas of the draft 2020-12, and each reference leads somewhere", () => {
  const found = [...schemasIn(document)];
  expect(found.length).toBeGreaterThan(100);
  const wrong = found.filter(([, schema]) => !ajv.validateSchema(schema)).map(([place]) => place);
  expect(wrong).toEqual([]);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]*)"/g)].map(([, pointer]) => pointer!);
  expect(references.length).toBeGreaterThan(10);
  const lost = new Set(references).values().filter((pointer) => {
    const names = pointer
      .split("/")
      .slice(1)
      .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    return (
      names.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document) === undefined
    );
  });
  expect([...lost]).toEqual([]);
});
