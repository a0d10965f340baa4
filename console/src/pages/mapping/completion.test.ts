import { CompletionContext, type CompletionResult, type CompletionSource } from "@codemirror/autocomplete";
import { json } from "@codemirror/lang-json";
import { ensureSyntaxTree } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { expect, test } from "vitest";
import { ruleCompletion } from "./completion.ts";
import { shapeOf } from "./shape.ts";

const input = shapeOf([{ name: "Ada", address: { city: "Rome" }, lines: [{ sku: "a" }] }]);

/** Of a text in which | is the cursor, and ¦ a bar. */
function completed(text: string): CompletionResult | null {
  const pos = text.indexOf("|");
  const doc = text.replace("|", "").replace("¦", "|");
  const state = EditorState.create({ doc, extensions: [json(), ruleCompletion(() => input)] });
  // However long the machine takes for it.
  ensureSyntaxTree(state, doc.length, 60_000);
  const [source] = state.languageDataAt<CompletionSource>("autocomplete", pos);
  return source?.(new CompletionContext(state, pos, true)) as CompletionResult | null;
}
const labels = (text: string) => completed(text)?.options.map(({ label }) => label);

test("a source is completed by the paths of what comes in, from its beginning on", () => {
  const text = '[{ "source": "$.na|", "destination": "" }]';
  expect(labels(text)).toEqual([
    "$.name",
    "$.address",
    "$.address.city",
    "$.lines",
    "$.lines[*]",
    "$.lines[*].sku",
    "$.lines[0]",
    "$.lines[0].sku",
  ]);
  expect(completed(text)?.from).toBe(text.indexOf("$"));
  expect(labels('[{ "source": "|" }]')).toContain("$.name");
});

test("the last path of a predicate, and of a template's hole, is completed; a filter behind a bar", () => {
  const when = '[{ "source": "$.name", "when": "$.name == \'x\' && $.addr|" }]';
  expect(labels(when)).toContain("$.address.city");
  expect(completed(when)?.from).toBe(when.indexOf("$.addr"));
  expect(labels('[{ "template": "Dear {{ $.n| }}" }]')).toContain("$.name");
  expect(labels('[{ "template": "Dear {{ $.name ¦ up| }}" }]')).toContain("upper");
  expect(labels('[{ "template": "Dear | {{ $.n }}" }]')).toBeUndefined();
});

test("rules of each element know the element", () => {
  expect(labels('[{ "source": "$.lines", "each": [{ "source": "$.|" }] }]')).toEqual(["$.sku"]);
  expect(labels('[{ "source": "$.lines[*]", "each": [{ "source": "$.|" }] }]')).toEqual(["$.sku"]);
  expect(labels('[{ "source": "$.gone", "each": [{ "source": "$.|" }] }]')).toEqual([]);
});

test("fields that a rule does not have yet, words of casts, and names for destinations are completed", () => {
  const fields = labels('[{ "source": "$.name", "|" }]');
  expect(fields).toContain("cast");
  expect(fields).not.toContain("source");
  expect(labels('[{ "source": "$.name", "cast": "|" }]')).toContain("timestamp");
  expect(labels('[{ "source": "$.address.city", "destination": "|" }]')?.[0]).toBe("city");
});

test("nothing is completed outside of texts, behind their ends, and in what is free text", () => {
  for (const text of ["[|]", '[{ "source": "$.name"| }]', '[{ "value": "$.|" }]', '[{ "transform": "val|" }]']) {
    expect(completed(text)).toBeNull();
  }
});
