import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dataOf, decodedHeader, encodedHeader, eventFault, fromBinary, toBinary } from "./cloudevents.ts";
import type { Json, JsonObject } from "./json.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../tests/vectors/cloudevents/${name}.json`, import.meta.url), "utf8"));
const parse = (text: string) => JSON.parse(text) as Json;
const events = (name: string) => (read(name) as { tests: { id: string; event: Json }[] }).tests;
const batches = (name: string) => (read(name) as { tests: { id: string; batch: Json[] }[] }).tests;

test.each(events("valid-events"))("$id is an event", ({ event }) => {
  expect(eventFault(event)).toBeUndefined();
});

test.each(events("invalid-events"))("$id is none", ({ event }) => {
  expect(eventFault(event)).toMatch(/^it/);
});

test.each(batches("valid-batches"))("$id is a batch of events", ({ batch }) => {
  expect(batch.map(eventFault).filter(Boolean)).toEqual([]);
});

test.each(batches("invalid-batches"))("$id is none", ({ batch }) => {
  expect(batch.map(eventFault).filter(Boolean)).not.toEqual([]);
});

interface Decode {
  readonly name: string;
  readonly transport: "http" | "kafka";
  readonly mode: "binary" | "structured";
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly attributes: JsonObject;
  readonly data: Json;
}

interface Reencode {
  readonly name: string;
  readonly structured: JsonObject;
  readonly http_binary: { readonly headers: Record<string, string>; readonly body?: string; readonly body_json?: Json };
}

const examples = read("binding-examples") as {
  decode: Decode[];
  reencode: Reencode[];
  header_values?: unknown;
};

test.each(examples.decode)(
  "what comes as $name is understood",
  ({ transport, mode, headers, body, attributes, data }) => {
    const prefix = transport === "kafka" ? "ce_" : "ce-";
    const event =
      mode === "binary" ? fromBinary(headers, Buffer.from(body), parse, prefix) : (parse(body) as JsonObject);
    expect(eventFault(event)).toBeUndefined();
    const { data: _, ...rest } = event;
    expect(rest).toEqual(attributes);
    expect(dataOf(event)).toEqual(data);
  },
);

test.each(examples.reencode)("both modes hold the same event: $name", ({ structured, http_binary }) => {
  const { headers, body } = toBinary(structured);
  expect(headers).toEqual(http_binary.headers);
  if (http_binary.body_json === undefined) expect(body.toString()).toBe(http_binary.body);
  else expect(parse(body.toString())).toEqual(http_binary.body_json);
  const back = fromBinary(headers, body, parse);
  expect(eventFault(back)).toBeUndefined();
  expect(dataOf(back)).toEqual(dataOf(structured));
});

test("header values are percent-encoded UTF-8", () => {
  expect(encodedHeader("Euro € 😀")).toBe("Euro%20%E2%82%AC%20%F0%9F%98%80");
  expect(decodedHeader("Euro%20%e2%82%ac%20%f0%9f%98%80")).toBe("Euro € 😀");
  expect(encodedHeader('a"b%c~!')).toBe("a%22b%25c~!");
  expect(decodedHeader('"a \\"b\\""')).toBe('a "b"');
  expect(() => decodedHeader("%C0%A0")).toThrow();
});

test("an event may have megabytes of Base64", () => {
  const event = { specversion: "1.0", id: "1", source: "/s", type: "t" };
  const bytes = Buffer.alloc(9_000_000, 7).toString("base64");
  expect(eventFault({ ...event, data_base64: bytes })).toBeUndefined();
  for (const bad of [`${bytes}A`, `${bytes}AAA*`, `${bytes}A===`, `${bytes}=AAA`, `${bytes}AAA`])
    expect(eventFault({ ...event, data_base64: bad })).toBe("its data_base64 is no Base64");
  for (const good of ["", "AAAA", "AAA=", "AA=="]) expect(eventFault({ ...event, data_base64: good })).toBeUndefined();
});
