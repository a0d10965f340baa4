import type { Query } from "./jsonpath/ast.ts";
import { scanQuery } from "./jsonpath/parse.ts";
import { Scanner } from "./jsonpath/scanner.ts";

/** The filters of a hole, with what they give. */
export const filters = {
  upper: "the text in upper case",
  lower: "the text in lower case",
  trim: "the text without white space at its ends",
  json: "the value as JSON",
  default: "`default('text')`: the text given, where nothing is found",
} as const;
const filterNames = Object.keys(filters) as (keyof typeof filters)[];

export type Filter =
  | { readonly name: "upper" | "lower" | "trim" | "json" }
  | { readonly name: "default"; readonly text: string };

export interface Hole {
  readonly query: Query;
  readonly filters: readonly Filter[];
}

/** Text and holes, as they come. */
export type Template = readonly (string | Hole)[];

/** `Dear {{ $.name | trim | default('friend') }}`. Throws a PathError. */
export function parseTemplate(text: string): Template {
  const parts: (string | Hole)[] = [];
  const scanner = new Scanner(text);
  while (!scanner.done) {
    const open = text.indexOf("{{", scanner.at);
    const end = open < 0 ? text.length : open;
    if (end > scanner.at) parts.push(text.slice(scanner.at, end));
    scanner.at = end;
    if (open >= 0) parts.push(hole(scanner));
  }
  return parts;
}

function hole(scanner: Scanner): Hole {
  const open = scanner.at;
  scanner.at += 2;
  const skipSpace = () => scanner.match(/\s*/y);
  const checkOpen = () => {
    if (scanner.done) throw scanner.error('this "{{" is not closed', open);
  };
  skipSpace();
  checkOpen();
  if (scanner.looksAt("}}")) throw scanner.error("this hole is empty", open);
  const query = scanQuery(scanner);
  const found: Filter[] = [];
  for (;;) {
    skipSpace();
    checkOpen();
    if (scanner.take("}}")) return { query, filters: found };
    if (!scanner.take("|")) throw scanner.unexpected('expected "|" or "}}"');
    skipSpace();
    checkOpen();
    found.push(filter(scanner));
  }
}

function filter(scanner: Scanner): Filter {
  const start = scanner.at;
  const word = scanner.match(/\w+/y);
  const name = filterNames.find((candidate) => candidate === word);
  if (name === undefined) throw scanner.error(`expected a filter: ${filterNames.join(", ")}`, start);
  if (name !== "default") return { name };
  scanner.match(/\s*/y);
  scanner.expect("(");
  scanner.match(/\s*/y);
  if (scanner.next !== "'" && scanner.next !== '"') throw scanner.unexpected("default takes a text in quotes");
  const text = scanner.string();
  scanner.match(/\s*/y);
  scanner.expect(")");
  return { name, text };
}
