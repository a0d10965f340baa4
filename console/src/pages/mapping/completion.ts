import {
  type Completion,
  type CompletionContext,
  type CompletionResult,
  startCompletion,
} from "@codemirror/autocomplete";
import { jsonLanguage } from "@codemirror/lang-json";
import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { at, pathsFrom, type Shape } from "./shape.ts";

type Node = ReturnType<typeof syntaxTree>["topNode"];
type Read = (node: Node) => string;

/** What may stand in a rule, and what of it is written at once: | is where one goes on typing. */
const fields: readonly (readonly [name: string, value: string, detail: string])[] = [
  ["source", '"$.|"', "JSONPath of what is taken"],
  ["destination", '"|"', "where it goes, or *"],
  ["template", '"{{ $.| }}"', "text with holes"],
  ["value", "|", "a constant"],
  ["transform", '"|"', "JavaScript over value, record, meta"],
  ["cast", '"|"', "type to convert to"],
  ["default", "|", "where the source gives nothing"],
  ["when", '"$.|"', "only where it holds"],
  ["on_error", '"|"', "what a failure does"],
  ["drop", '"|"', "field to remove again"],
  ["each", "[|]", "rules for each element"],
];
const words: Readonly<Record<string, readonly string[]>> = {
  cast: ["string", "number", "integer", "boolean", "timestamp", "date", "json"],
  on_error: ["fail", "default", "skip"],
};
const filters = ["upper", "lower", "trim", "json", "default('')"];

/** What parsing may take before a completion, milliseconds: as long as somebody who types does not notice. */
const PARSE_MS = 100;

/** Completes fields of rules and what stands in them; paths are those of the records that come into the step. */
export function ruleCompletion(input: () => Shape): Extension {
  return jsonLanguage.data.of({ autocomplete: (context: CompletionContext) => complete(context, input) });
}

function complete({ state, pos }: CompletionContext, input: () => Shape): CompletionResult | null {
  // The editor parses in slices of its own: on a busy machine, what was just typed is not in its tree yet.
  const tree = ensureSyntaxTree(state, state.doc.length, PARSE_MS) ?? syntaxTree(state);
  const node = tree.resolveInner(pos, -1);
  const read: Read = ({ from, to }) => state.doc.sliceString(from, to);
  // Behind its closing quote nothing of a text is typed.
  if (node.name !== "String" && node.name !== "PropertyName") return null;
  const text = read(node);
  if (pos === node.from || (pos === node.to && text.length > 1 && text.endsWith('"'))) return null;
  const from = node.from + 1;
  const typed = state.doc.sliceString(from, pos);
  if (node.name === "PropertyName") return { from, options: fieldOptions(node, read) };

  const field = node.parent?.name === "Property" ? nameOf(node.parent, read) : null;
  if (field === null) return null;
  if (words[field]) return { from, options: words[field].map((label) => ({ label, type: "enum" })) };
  if (field === "destination" || field === "drop") return { from, options: names(node, input(), read) };
  if (field === "source") return pathsAt(from, typed, node, input(), read);
  if (field === "when") return pathsAt(from, typed, node, input(), read, /[$@][^\s|&()<>=!,]*$/);
  if (field !== "template") return null;
  const hole = /\{\{((?:(?!\}\}).)*)$/s.exec(typed)?.[1];
  if (hole === undefined) return null;
  const filter = /\|\s*(\w*)$/.exec(hole);
  if (filter !== null) {
    const options = filters.map((label) => ({ label, type: "function" }));
    return { from: pos - (filter[1] as string).length, options };
  }
  return pathsAt(from, typed, node, input(), read, /[$@][^\s|]*$/);
}

function pathsAt(from: number, typed: string, node: Node, input: Shape, read: Read, last?: RegExp) {
  const path = last === undefined ? typed : last.exec(typed)?.[0];
  if (path === undefined) return null;
  const begin = from + typed.length - path.length;
  const found = pathsFrom(shapeAt(node, input, read), path === "" ? "$" : path);
  const options = found.map(({ path: label, type }): Completion => {
    return { label, detail: type, type: "variable", apply: JSON.stringify(label).slice(1, -1) };
  });
  return { from: begin, options };
}

/** Of the record, or within `each` of an element. */
function shapeAt(node: Node, input: Shape, read: Read): Shape {
  const sources: string[] = [];
  for (let up = node.parent; up !== null; up = up.parent) {
    if (up.name !== "Property" || nameOf(up, read) !== "each") continue;
    sources.unshift(siblingText(up, "source", read) ?? "");
  }
  let shape: Shape | null = input;
  for (const source of sources) {
    const found: Shape | null = shape && at(shape, source);
    shape = source.includes("[*]") ? found : (found?.items ?? null);
  }
  return shape ?? { types: new Set(), fields: new Map(), items: null };
}

/** The name under which the source has it comes first. */
function names(node: Node, input: Shape, read: Read): Completion[] {
  const source = node.parent && siblingText(node.parent, "source", read);
  const same = source && /([A-Za-z_][\w-]*)(?:\[[^\]]*\])*$/.exec(source)?.[1];
  const known = [...input.fields.keys()].filter((name) => /^[^.[\]\s'"*]+$/.test(name) && name !== same);
  return [
    ...(same ? [{ label: same, detail: "as in the source", boost: 10 }] : []),
    ...known.map((label) => ({ label })),
  ];
}

/** Those that the rule does not have yet. */
function fieldOptions(name: Node, read: Read): Completion[] {
  const property = name.parent;
  const rule = property?.parent;
  const there = new Set(rule?.getChildren("Property").map((each) => nameOf(each, read)));
  there.delete(nameOf(property as Node, read));
  const isNew = property?.lastChild === null || property?.lastChild?.name !== "String";
  return fields
    .filter(([label]) => !there.has(label))
    .map(([label, value, detail], at): Completion => {
      const option = { label, detail, type: "property", boost: -at };
      return isNew ? { ...option, apply: (view) => write(view, name, `"${label}": ${value}`) } : option;
    });
}

/** In the place of a name and its quotes; goes on where | stands. */
function write(view: EditorView, { from, to }: Node, text: string): void {
  // The name has grown while it was typed.
  const line = view.state.doc.lineAt(from);
  const end = /^"[^"\n]*"?/.exec(line.text.slice(from - line.from))?.[0].length ?? to - from;
  const at = text.indexOf("|");
  view.dispatch({
    changes: { from, to: from + end, insert: text.replace("|", "") },
    selection: { anchor: from + at },
    userEvent: "input.complete",
  });
  startCompletion(view);
}

/** Adds a rule at the end, and goes to its source. */
export function addRule(view: EditorView): void {
  const text = view.state.doc.toString();
  const end = Math.max(text.lastIndexOf("]"), 0);
  const before = text.slice(0, end).trimEnd();
  const rule = '\n  { "source": "$.", "destination": "" }';
  const insert = `${before === "" ? "[" : /[[,]$/.test(before) ? "" : ","}${rule}\n${text === "" ? "]" : ""}`;
  view.dispatch({
    changes: { from: before.length, to: end, insert },
    selection: { anchor: before.length + insert.indexOf('$."') + 2 },
    scrollIntoView: true,
    userEvent: "input",
  });
  view.focus();
  startCompletion(view);
}

const nameOf = (property: Node, read: Read): string =>
  property.firstChild === null ? "" : read(property.firstChild).replaceAll('"', "");

function siblingText(property: Node, name: string, read: Read): string | null {
  const sibling = property.parent?.getChildren("Property").find((each) => nameOf(each, read) === name);
  const value = sibling?.lastChild;
  return value?.name === "String" ? unquoted(read(value)) : null;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text);
  } catch {
    return "";
  }
}
