import { isRecord, type Schema } from "./keywords.ts";

/** What a reference within the document points to: a JSON Pointer, an anchor or an id. Undefined where it leads out. */
export function resolveReference(reference: string, root: Schema): Schema | undefined {
  if (reference === "#") return root;
  if (reference.startsWith("#/")) return pointed(root, reference.slice(2).split("/"));
  return identified(root, reference, new Set());
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

function identified(at: unknown, reference: string, seen: Set<unknown>): Schema | undefined {
  if (typeof at !== "object" || at === null || seen.has(at)) return undefined;
  seen.add(at);
  if (isRecord(at)) {
    const { $id, id, $anchor } = at;
    if ($id === reference || id === reference || (typeof $anchor === "string" && `#${$anchor}` === reference))
      return at;
  }
  for (const below of Object.values(at)) {
    const found = identified(below, reference, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
