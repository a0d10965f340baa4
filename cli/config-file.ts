import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from "yaml";
import type { Json, JsonObject } from "../connectors/sdk/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import { type FieldPath, parseFieldPath } from "../runtime/mapping/index.ts";
import { numberOf } from "../runtime/record/number.ts";

/** Line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something to say about a place in a configuration file. */
export interface FileFinding extends Position {
  readonly path: string;
  readonly message: string;
}

export interface ConfigFile {
  readonly value: Json;
  /** Where a field stands, or the nearest thing around it that does. */
  locate(path: FieldPath): Position;
}

/** A configuration file as YAML 1.2 core or JSON, or what keeps it from being one. `-` is stdin. */
export function readConfigFile(file: string): ConfigFile | { readonly errors: readonly FileFinding[] } {
  const refused = (message: string) => ({ errors: [{ file, line: 1, column: 1, path: "", message }] });
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EISDIR") return refused("this is a folder; name the files in it");
    return refused(code === "ENOENT" ? "there is no such file" : messageOf(error));
  }
  return isUtf8(bytes) ? parseConfig(bytes.toString(), file) : refused("the file is not valid UTF-8");
}

/** `!!str` and the like; what others make (bytes, sets) is no JSON. */
const coreTags = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/;

/** Duplicate keys, unknown tags and numbers that JSON has not are refused; numbers keep every digit. */
export function parseConfig(text: string, file: string): ConfigFile | { readonly errors: readonly FileFinding[] } {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\uFEFF/, ""), {
    version: "1.2",
    schema: "core",
    // As JSON has keys: 1 and "1" are the same.
    uniqueKeys: (a, b) => isScalar(a) && isScalar(b) && String(a.value ?? "") === String(b.value ?? ""),
    lineCounter: lines,
    prettyErrors: false,
  });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const finding = (offset: number, message: string): FileFinding => ({ ...at(offset), path: "", message });
  const errors = [...document.errors, ...document.warnings].map(({ pos, code, message }) =>
    finding(pos[0], code === "MULTIPLE_DOCS" ? "a file holds one document: no --- between two" : message),
  );
  visit(document, {
    Node(_, node) {
      const tag = isAlias(node) ? undefined : node.tag;
      if (tag === undefined || coreTags.test(tag)) return;
      errors.push(finding(node.range?.[0] ?? 0, `the tag ${tag} stands for nothing that JSON has`));
    },
  });
  visit(document, {
    Alias(_, node, within) {
      if (
        within.some((around) => isNode(around) && around.anchor === node.source && around === node.resolve(document))
      ) {
        errors.push(finding(node.range?.[0] ?? 0, `*${node.source} stands within what it is the alias of`));
      }
    },
    Pair(_, { key }) {
      if (isCollection(key)) errors.push(finding(key.range?.[0] ?? 0, "a key is a text, not a list or a map"));
    },
    Scalar(_, node) {
      const { source = "", value, range } = node;
      if (typeof value !== "number") return;
      const text = jsonNumber(source);
      if (text !== undefined) node.value = numberOf(text);
      else if (!Number.isFinite(value)) errors.push(finding(range?.[0] ?? 0, `${source} is no number that JSON has`));
    },
  });
  if (errors.length > 0) return { errors };
  let value: Json;
  try {
    value = (document.toJS() ?? null) as Json;
  } catch (error) {
    return { errors: [finding(0, messageOf(error))] }; // Aliases that grow without end.
  }
  return { value, locate: (path) => at(offsetOf(document.contents, path)) };
}

/** A number as JSON spells it; YAML has `+1`, `.5`, `1.`, `007` and `0x1F` too. Undefined for infinities and the like. */
function jsonNumber(source: string): string | undefined {
  if (/^0[ox][\da-f]+$/i.test(source)) return String(BigInt(source));
  const [, sign, whole, fraction, exponent] = /^([-+]?)0*(\d*)\.?(\d*)((?:[eE][-+]?\d+)?)$/.exec(source) ?? [];
  if (exponent === undefined) return undefined;
  return `${sign === "-" ? "-" : ""}${whole || "0"}${fraction ? `.${fraction}` : ""}${exponent}`;
}

/** Offset of the node, its key where it has one, that a path leads to; as far as it leads. */
function offsetOf(root: Node | null, path: FieldPath): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number" && node.items[part] !== undefined) {
      node = node.items[part];
      offset = (node as Node).range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** Several files as one configuration. */
export interface Configuration {
  readonly value: JsonObject;
  locate(path: string): Position;
}

/** Reads files and joins their lists. What is no configuration at all is told with its place. */
export function readConfiguration(
  files: readonly string[],
): Configuration | { readonly errors: readonly FileFinding[] } {
  const errors: FileFinding[] = [];
  const value: JsonObject = {};
  /** By field of the whole: the file that has it, and at which index its list begins there. */
  const origins = new Map<string, { readonly config: ConfigFile; readonly from: number; readonly to: number }[]>();
  let first: ConfigFile | undefined;
  for (const file of files) {
    const config = readConfigFile(file);
    if ("errors" in config) {
      errors.push(...config.errors);
      continue;
    }
    first ??= config;
    if (typeof config.value !== "object" || config.value === null || Array.isArray(config.value)) {
      const message = "a configuration holds `connectors` and `integrations`; this file holds no such fields";
      errors.push({ ...config.locate([]), path: "", message });
      continue;
    }
    for (const [field, given] of Object.entries(config.value)) {
      const before = value[field];
      const joined = Array.isArray(before) && Array.isArray(given) ? [...before, ...given] : given;
      const from = Array.isArray(before) ? before.length : 0;
      const to = Array.isArray(joined) ? joined.length : from;
      Object.defineProperty(value, field, { value: joined, enumerable: true, writable: true, configurable: true });
      origins.set(field, [...(origins.get(field) ?? []), { config, from, to }]);
    }
  }
  if (errors.length > 0) return { errors };

  return {
    value,
    locate(text) {
      const [field, index, ...rest] = parsePath(text);
      const places = origins.get(String(field)) ?? [];
      const place =
        places.find(({ from, to }) => typeof index === "number" && index >= from && index < to) ?? places[0];
      if (place === undefined) return first!.locate([]);
      if (typeof index !== "number") return place.config.locate([field!]);
      return place.config.locate([field!, index - place.from, ...rest]);
    },
  };
}

function parsePath(path: string): FieldPath {
  try {
    return parseFieldPath(path);
  } catch {
    return []; // The whole, or more items than a field path counts.
  }
}
