import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, nearest } from "../errors/index.ts";
import { isObject } from "../record/json.ts";
import { type FieldPath, parseFieldPath } from "./field-path.ts";
import { parseQuery } from "./jsonpath/parse.ts";

/** What was written at a field and below it, and not replaced since. */
interface Written {
  readonly below: Map<string | number, Written>;
  /** Indexes of the rules that wrote here. */
  rules: number[];
}

const empty = (): Written => ({ below: new Map(), rules: [] });

/**
 * Rules of a valid mapping that cannot have an effect: what one writes is replaced or dropped by a later one whatever
 * the record, or there is nothing to drop. Only what is sure is told. `at` is where the list stands.
 */
export function lintRules(rules: readonly Json[], at: readonly (string | number)[] = []): FieldError[] {
  const found: { readonly index: number; readonly finding: FieldError }[] = [];
  const root = empty();
  /** Members of a whole object were written: any name may be there. */
  let anything = false;
  const idle = (index: number, message: string) =>
    found.push({ index, finding: { path: formatPath([...at, index, "destination"]), message } });

  for (const [index, rule] of (rules as readonly JsonObject[]).entries()) {
    const rulePath = formatPath([...at, index]);
    if (Array.isArray(rule.each)) {
      found.push(...lintRules(rule.each, [...at, index, "each"]).map((finding) => ({ index, finding })));
    }
    if (rule.drop !== undefined) {
      const path = parseFieldPath(rule.drop as string);
      if (!anything && !holds(root, path)) {
        found.push({
          index,
          finding: { path: formatPath([...at, index, "drop"]), message: nothingToDrop(path, root) },
        });
      }
      if (rule.when !== undefined) continue;
      for (const earlier of take(root, path)) idle(earlier, `what it writes is lost: ${rulePath} drops ${rule.drop}`);
      // What stood behind moves up: nothing is known of the array from here on.
      if (typeof path.at(-1) === "number") forget(root, path.slice(0, -1));
    } else if (rule.destination === "*") {
      for (const name of replacedMembers(rule, root, rules)) {
        for (const earlier of take(root, [name]))
          idle(earlier, `what it writes is lost: ${rulePath} writes ${name} over it`);
      }
      anything = true;
    } else {
      const path = parseFieldPath(rule.destination as string);
      if (alwaysWrites(rule)) {
        const over = rule.destination as string;
        for (const earlier of take(root, path))
          idle(earlier, `what it writes is lost: ${rulePath} writes ${over} over it`);
      }
      let node = root;
      for (const part of path) {
        if (!node.below.has(part)) node.below.set(part, empty());
        node = node.below.get(part) as Written;
      }
      node.rules.push(index);
    }
  }
  return found.sort((a, b) => a.index - b.index).map(({ finding }) => finding);
}

/** Whether a rule writes for every record that it does not fail. */
function alwaysWrites({ source, default: fallback, when, on_error, transform }: JsonObject): boolean {
  if (when !== undefined || transform !== undefined || on_error === "skip") return false;
  return source === undefined || fallback !== undefined || !mayBeMissing(source as string);
}

const mayBeMissing = (source: string) => {
  const { singular, segments } = parseQuery(source);
  return singular && segments.length > 0;
};

/** Names of the members written so far that a rule with the destination `*` replaces whenever they are there. */
function replacedMembers(rule: JsonObject, root: Written, rules: readonly Json[]): string[] {
  if (rule.when !== undefined || rule.transform !== undefined || rule.on_error === "skip") return [];
  if (isObject(rule.value)) return Object.keys(rule.value);
  if (rule.source !== "$" || rule.each !== undefined) return [];
  const copied = (name: string, node: Written): boolean =>
    node.rules.every((index) => comesFrom(rules[index] as JsonObject, name)) &&
    [...node.below.values()].every((below) => copied(name, below));
  return [...root.below].flatMap(([name, node]) => (copied(name as string, node) ? [name as string] : []));
}

/** Whether a rule writes only for records that have the member: of its own value, then, and no other. */
function comesFrom({ source, default: fallback }: JsonObject, name: string): boolean {
  if (typeof source !== "string" || fallback !== undefined) return false;
  const { singular, segments } = parseQuery(source);
  const first = segments[0]?.selectors[0];
  return singular && first?.kind === "name" && first.name === name;
}

/** Whether something may stand at a path: what was written there, below it, or around it as a whole. */
function holds(root: Written, path: FieldPath): boolean {
  let node = root;
  for (const part of path) {
    if (node.rules.length > 0) return true;
    const next = node.below.get(part);
    if (next === undefined)
      return typeof part === "number" && [...node.below.keys()].some((key) => typeof key === "number" && key > part);
    node = next;
  }
  return true;
}

/** Takes out what stands at a path and below, and gives the rules that wrote it. */
function take(root: Written, path: FieldPath): number[] {
  const parent = walk(root, path.slice(0, -1));
  const last = path.at(-1) as string | number;
  const node = parent?.below.get(last);
  if (parent === undefined || node === undefined) return [];
  parent.below.delete(last);
  return rulesOf(node);
}

function forget(root: Written, path: FieldPath): void {
  const node = walk(root, path);
  if (node === undefined) return;
  node.rules.push(...[...node.below.values()].flatMap(rulesOf));
  node.below.clear();
}

function walk(root: Written, path: FieldPath): Written | undefined {
  let node: Written | undefined = root;
  for (const part of path) node = node?.below.get(part);
  return node;
}

const rulesOf = ({ rules, below }: Written): number[] => [...rules, ...[...below.values()].flatMap(rulesOf)];

function nothingToDrop(path: FieldPath, root: Written): string {
  const names = [...root.below.keys()].map(String);
  const near = typeof path[0] === "string" && !names.includes(path[0]) ? nearest(path[0], names) : undefined;
  const hint = near === undefined ? "" : `; did you mean ${formatPath([near, ...path.slice(1)])}?`;
  return `drops nothing: no rule before it writes ${formatPath(path)}${hint}`;
}
