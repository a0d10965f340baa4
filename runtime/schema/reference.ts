import { isRecord, type Schema } from "./keywords.ts";

/** What a reference within the document points to: a JSON Pointer, an anchor or an id. Undefined where it leads out. */
export function resolveReference(reference: string, root: Schema): Schema | undefined {
  if (reference === "#") return root;
  if (reference.startsWith("#/")) return pointed(root, reference.slice(2).split("/"));
  return identified(root, reference);
}

function pointed(root: Schema, steps: readonly string[]): Schema | undefined {
  let at: unknown = root;
  for (const step of steps) {
    const name = decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as { readonly [name: string]: unknown })[name];
  }
  return typeof at === "boolean" || isRecord(at) ? at : undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Of a document, what its ids and anchors stand for. */
const named = new WeakMap<object, ReadonlyMap<string, Schema>>();

function identified(root: Schema, reference: string): Schema | undefined {
  if (typeof root === "boolean") return undefined;
  const known = named.get(root) ?? namesIn(root);
  named.set(root, known);
  return known.get(reference);
}

function namesIn(root: object): Map<string, Schema> {
  const names = new Map<string, Schema>();
  const seen = new Set<unknown>();
  const look = (at: unknown) => {
    if (typeof at !== "object" || at === null || seen.has(at)) return;
    seen.add(at);
    if (isRecord(at)) {
      const { $id, id, $anchor } = at;
      // The first one of a name has it.
      for (const name of [$id, id, typeof $anchor === "string" ? `#${$anchor}` : undefined]) {
        if (typeof name === "string" && !names.has(name)) names.set(name, at);
      }
    }
    for (const below of Object.values(at)) look(below);
  };
  look(root);
  return names;
}
