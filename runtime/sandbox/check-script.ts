import { Script as Parsed } from "node:vm";
import type { Script } from "../ports/sandbox.ts";

/**
 * What is wrong with a script, as a sentence with the position in it (line and column from 1); undefined when it can be
 * run. It is parsed, and nothing of it is executed.
 *
 * One expression is what stands between brackets of either kind: a source that closed the bracket before it would have
 * to close a `(` and a `[` with the same character. So nothing can be added to what `scriptText` writes around it.
 */
export function checkScript(script: Script): string | undefined {
  const { source, kind } = script;
  if (source.trim() === "") return "the script is empty";
  const problem = parseProblem("(\n", source, "\n)") ?? parseProblem("[\n", source, "\n]");
  if (problem !== undefined) {
    const statements = parseProblem("", source, "\n") === undefined;
    return statements ? `must be one expression, without statements or a semicolon: ${problem}` : problem;
  }
  return kind === "function" ? functionProblem(source) : undefined;
}

/** The expression that gives the function to call: with `(value, record, meta)`, for a `function` `(record, meta)`. */
export function scriptText({ kind, source }: Script): string {
  return kind === "function" ? `(\n${source}\n)` : `(value, record, meta) => (\n${source}\n)`;
}

function parseProblem(before: string, source: string, after: string): string | undefined {
  try {
    // The line before the source is none of the author's.
    new Parsed(`${before}${source}${after}`, { filename: "script", lineOffset: before === "" ? 0 : -1 });
    return undefined;
  } catch (error) {
    return describe(error as Error, source);
  }
}

const parses = (text: string): boolean => parseProblem("", text, "") === undefined;

/** V8 gives the position in the first lines of the stack: `script:LINE`, the line, and carets below the place. */
function describe(error: Error, source: string): string {
  const [, number] = /^script:(\d+)\n/.exec(error.stack ?? "") ?? [];
  const carets = (error.stack ?? "").split("\n")[2] ?? "";
  const lines = source.split("\n");
  const line = Number(number);
  const inside = number !== undefined && line >= 1 && line <= lines.length && carets.includes("^");
  const at = inside ? `line ${line}, column ${carets.indexOf("^") + 1}` : `line ${lines.length}, at its end`;
  return `${error.message} (${at})`;
}

const notOne = "must be one function: (record, meta) => …, or function (record, meta) { … }";
const space = /^(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*.*?\*\/)+/s;
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/u;

/** `source` is one expression. */
function functionProblem(source: string): string | undefined {
  const text = source.replace(space, "");
  if (/^\(/.test(text)) {
    // In brackets of its own.
    const inner = /^\((.*)\)\s*$/s.exec(text)?.[1];
    if (inner?.trim() && parses(`(\n${inner}\n)`) && parses(`[\n${inner}\n]`)) return functionProblem(inner);
  }
  // A comma at its top level would end the branch.
  if (!parses(`0 ?\n${text}\n: 0`)) return notOne;
  const [word = ""] = identifier.exec(text) ?? [];
  const rest = text.slice(word.length).replace(space, "");
  if (word === "function") return keywordProblem(rest);
  if (word !== "" && rest.startsWith("=>")) return undefined;
  if (word === "async" && /^(?:function|\(|[\p{ID_Start}$_])/u.test(rest)) {
    return "must be synchronous: async functions give promises";
  }
  return isParenthesizedArrow(text) ? undefined : notOne;
}

/** What follows the word `function` must end with its body: only then it can stand as an object's method. */
function keywordProblem(afterWord: string): string | undefined {
  if (afterWord.startsWith("*")) return "must not be a generator";
  const [name = ""] = identifier.exec(afterWord) ?? [];
  const signature = afterWord.slice(name.length).replace(space, "");
  return signature.startsWith("(") && parses(`({ m\n${signature}\n})`) ? undefined : notOne;
}

/** Whether it begins with `(` parameters `) =>`; what is an expression without commas then is that function. */
function isParenthesizedArrow(text: string): boolean {
  if (!text.startsWith("(")) return false;
  for (let at = text.indexOf("=>"); at >= 0; at = text.indexOf("=>", at + 2)) {
    // Without a line break behind them: a comment must not hide what follows.
    const parameters = text.slice(0, at);
    if (parses(`(function ${parameters}{})`) && parses(`({ m ${parameters}{} })`)) return true;
  }
  return false;
}
