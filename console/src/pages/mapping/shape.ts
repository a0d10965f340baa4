import { isExact } from "../../lib/exact-json.ts";

/*
 * What records look like, as far as they were seen, and the JSONPaths of what is in them.
 */

/** All that was seen at one place. */
export interface Shape {
  /** JSON types, in the order in which they were seen. */
  readonly types: Set<string>;
  readonly fields: Map<string, Shape>;
  /** Of the elements of its arrays. */
  items: Shape | null;
}

const mostElements = 50;
const mostFields = 2_000;

export function shapeOf(values: readonly unknown[]): Shape {
  const shape = empty();
  const budget = { fields: mostFields };
  for (const value of values) look(shape, value, budget);
  return shape;
}

const empty = (): Shape => ({ types: new Set(), fields: new Map(), items: null });

function look(shape: Shape, value: unknown, budget: { fields: number }): void {
  if (isExact(value)) shape.types.add("number");
  else if (Array.isArray(value)) {
    shape.types.add("array");
    shape.items ??= empty();
    for (const element of value.slice(0, mostElements)) look(shape.items, element, budget);
  } else if (typeof value === "object" && value !== null) {
    shape.types.add("object");
    for (const [name, member] of Object.entries(value)) {
      let field = shape.fields.get(name);
      if (field === undefined) {
        if (budget.fields-- <= 0) return;
        field = empty();
        shape.fields.set(name, field);
      }
      look(field, member, budget);
    }
  } else shape.types.add(value === null ? "null" : typeof value);
}

export interface KnownPath {
  readonly path: string;
  readonly type: string;
}

/**
 * Paths that might follow what was typed, such as `$.customer.na`: all below `$.customer`, three levels deep. Nothing
 * where it leads to nothing that was seen.
 */
export function pathsFrom(shape: Shape, typed: string): KnownPath[] {
  const [, head = "$"] = /^(.*?)(?:\.[^.[\]]*|\[[^\]]*)?$/s.exec(typed) ?? [];
  const below = at(shape, head);
  if (below === null) return [];
  const paths: KnownPath[] = [];
  collect(below, head, 3, paths);
  return paths;
}

/** What stands at a path of names and elements; null: nothing that was seen, or a path of another kind. */
export function at(shape: Shape, path: string): Shape | null {
  if (!/^[$@]/.test(path)) return null;
  const steps = /\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]|\[(\d+|\*)\]|(.)/gsy;
  let found: Shape | null = shape;
  for (const [, name, quoted, element, rest] of path.slice(1).matchAll(steps)) {
    if (rest !== undefined || found === null) return null;
    if (element !== undefined) found = found.items;
    else found = found.fields.get(name ?? (quoted as string).replaceAll(/\\(.)/g, "$1")) ?? null;
  }
  return found;
}

function collect({ fields, items }: Shape, path: string, depth: number, into: KnownPath[]): void {
  if (depth === 0) return;
  for (const [name, field] of fields) add(field, path + segment(name), depth, into);
  if (items === null) return;
  add(items, `${path}[*]`, depth, into);
  add(items, `${path}[0]`, depth, into);
}

function add(shape: Shape, path: string, depth: number, into: KnownPath[]): void {
  into.push({ path, type: [...shape.types].join(", ") });
  collect(shape, path, depth - 1, into);
}

/** As RFC 9535 has it: a name of letters, digits and _ after a dot, any other in quotes. */
const segment = (name: string): string =>
  /^[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*$/.test(name) ? `.${name}` : `['${name.replaceAll(/['\\]/g, "\\$&")}']`;

/** A rule for each field of records, under the name that it has. */
export const ruleOfEach = ({ fields }: Shape): { readonly source: string; readonly destination: string }[] =>
  [...fields.keys()].map((name) => ({ source: `$${segment(name)}`, destination: fieldPath(name) }));

const fieldPath = (name: string): string => (/^[^.[\]\s'"*]+$/.test(name) ? name : `[${JSON.stringify(name)}]`);
