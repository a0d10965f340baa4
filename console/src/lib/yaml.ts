import type { Document } from "yaml";
import { parseExact } from "./exact-json.ts";

/**
 * The object or list that a text is in YAML, as files of configurations are; undefined where it is none. The library is
 * loaded when it is first asked. Numbers keep their digits.
 */
export async function readYaml(text: string): Promise<object | undefined> {
  const { isScalar, parseDocument, visit } = await import("yaml");
  const document: Document.Parsed = parseDocument(text, { version: "1.2", schema: "core", prettyErrors: false });
  let isJson = document.errors.length === 0 && document.warnings.length === 0;
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "number") return;
      isJson &&= Number.isFinite(node.value);
      if (isScalar(node) && /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(node.source ?? "")) {
        node.value = parseExact(node.source as string) as number;
      }
    },
  });
  try {
    const value: unknown = isJson ? document.toJS() : undefined;
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    // Aliases that grow without bound.
    return undefined;
  }
}
