// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { parseJson } from "../record/json.ts";
import { compileRequest, parseRequest, resolveRequest } from "./request.ts";

const compile = (request: Json) => compileRequest(parseRequest(request));
const render = (request: Json, record: Json) => compile(request).render(record as JsonObject);

test("a text that is one hole gives the value itself, and null where it finds nothing; any other is a template", () => {
  const record = parseJson('{"n":7,"big":90071992547409931,"s":"x","z":null,"o":{"a":[1]},"list":[{"v":1},{"v":2}]}');
  const request = {
    number: "{{ $.n }}",
    big: "{{ $.big }}",
    text: "{{ $.s }}",
    none: "{{ $.nothing }}",
    nil: "{{ $.z }}",
    object: "{{ $.o }}",
    many: "{{ $.list[*].v }}",
    fallback: "{{ $.nothing | default('d') }}",
    upper: "{{ $.s | upper }}",
    mixed: "n={{ $.n }}, {{ $.nothing }}{{ $.z }}{{ $.o }}",
    spaced: " {{ $.n }}",
    plain: "as it is",
    deep: [{ inner: ["{{ $.n }}", 1, true, null] }],
  };
  expect(JSON.stringify(render(request, record))).toBe(
    '{"number":7,"big":90071992547409931,"text":"x","none":null,"nil":null,"object":{"a":[1]},"many":[1,2],' +
      '"fallback":"d","upper":"X","mixed":"n=7, {\\"a\\":[1]}","spaced":" 7","plain":"as it is",' +
      '"deep":[{"inner":[7,1,true,null]}]}',
  );
});

test("keys are equal where, and only where, what is rendered is", () => {
  const request = compile({ a: "{{ $.a }}", b: "{{ $.b }}{{ $.c }}", d: "fixed" });
  const key = (record: JsonObject) => request.key(record);
  expect(key({ a: 1, b: "x", c: "y", other: 1 })).toBe(key({ a: 1, b: "", c: "xy", other: 2 }));
  expect(key({ a: { x: 1, y: [{ p: 1, q: 2 }] } })).toBe(key({ a: { y: [{ q: 2, p: 1 }], x: 1 } }));
  const different: JsonObject[] = [
    { a: 1 },
    { a: "1" },
    { a: '1"' },
    { a: true },
    { a: null, b: "null" },
    {},
    { a: '","' },
  ];
  different.push({ a: [1] }, { a: { 1: 1 } }, { b: "a" }, { a: "", b: "a" });
  const rendered = new Set(different.map((record) => JSON.stringify(request.render(record))));
  expect(new Set(different.map(key)).size).toBe(rendered.size);
  expect(compile({ query: "all" }).key({ a: 1 })).toBe(compile({ query: "all" }).key({ a: 2 }));
});

test("names are members whatever they are, and texts never code", () => {
  const request = JSON.parse('{"__proto__":"{{ $.n }}","a\\"];throw 1;":"`${process}`{{ $[\'\\\\u0022\'] }}"}') as Json;
  const rendered = render(request, { n: 1 }) as JsonObject;
  expect(Object.keys(rendered)).toEqual(["__proto__", 'a"];throw 1;']);
  expect(Object.getPrototypeOf(rendered)).toBe(Object.prototype);
});

test("what is no template is refused by its path, all at once", () => {
  expect(() => parseRequest({ by: { id: "{{ $.a" }, params: ["ok", "{{ }}"] })).toThrow(
    expect.objectContaining({
      code: "VALIDATION_ERROR",
      errors: [
        { path: "by.id", message: expect.stringContaining("not closed") },
        { path: "params[1]", message: expect.stringContaining("empty") },
      ],
    }),
  );
});

test("references are resolved in what the configuration says: no secret is a template, and no record names a secret", async () => {
  const secret = async (text: string) => text.replaceAll("${env:SLUICE_SECRET_KEY}", "{{ $.n }}");
  const reference = "${env:SLUICE_SECRET_KEY}";
  const parsed = parseRequest({
    headers: { key: `Bearer ${reference}`, both: `${reference}/{{ $.n }}` },
    list: [reference],
    given: "{{ $.given }}",
    fallback: `{{ $.nothing | default('${reference}') }}`,
  });
  const request = compileRequest(await resolveRequest(parsed, secret));
  expect(request.render({ n: 1, given: reference })).toEqual({
    headers: { key: "Bearer {{ $.n }}", both: "{{ $.n }}/1" },
    list: ["{{ $.n }}"],
    given: reference,
    fallback: "{{ $.n }}",
  });
});

test("in members that are parts of a URL, what fills a hole stays within its place", () => {
  const request = compileRequest(
    parseRequest({ path: "/users/{{ $.id }}/{{ $.n }}?x=1", query: { q: "{{ $.id }}" } }),
    ["path"],
  );
  expect(request.render({ id: "a/b?c=d#e é", n: 7 })).toEqual({
    path: "/users/a%2Fb%3Fc%3Dd%23e%20%C3%A9/7?x=1",
    query: { q: "a/b?c=d#e é" },
  });
  expect(request.key({ id: "a", n: 1 })).not.toBe(request.key({ id: "a", n: 2 }));
  const alone = compileRequest(parseRequest({ path: "{{ $.id }}" }), ["path"]);
  expect(alone.render({ id: "../x\ud800" })).toEqual({ path: "..%2Fx%EF%BF%BD" });
});
