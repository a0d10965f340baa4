import { LineCounter, parseDocument, visit } from "yaml";
import { isNumberText, numberOf } from "../../runtime/record/index.ts";

/** Rules as JSON or YAML 1.2 core; a key given twice is refused. Throws an Error with line and column. */
export function parseRulesFile(text: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { version: "1.2", schema: "core", lineCounter, prettyErrors: false });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    throw new Error(`line ${line}, column ${col}: ${problem.message}`);
  }
  // Numbers keep every digit, as in records.
  visit(document, {
    Scalar(_key, node) {
      const { source, value } = node;
      if (typeof value === "number" && source !== undefined && isNumberText(source)) node.value = numberOf(source);
    },
  });
  return document.toJS();
}
