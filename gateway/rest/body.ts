import type { Json } from "../../connectors/sdk/index.ts";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { endOfString, parseJson } from "../../runtime/record/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** As deep as a record may be, and as many names in an object as anybody means. */
const limits = { depth: 1000, names: 10_000 };

/**
 * A body as JSON, by default with every digit. Throws VALIDATION_ERROR, also for what parsers differ about (RFC 8259,
 * section 4): a name twice.
 */
export function parseBody(body: Buffer, parse: (text: string) => Json = parseJson): Json {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    throw refused("it is not UTF-8");
  }
  const fault = faultOf(text);
  if (fault !== undefined) throw refused(fault);
  try {
    return parse(text);
  } catch (error) {
    throw refused(messageOf(error));
  }
}

const refused = (why: string) => new SluiceError("VALIDATION_ERROR", `the body is no JSON that is taken here: ${why}`);

/** What opens, closes and parts. A pattern of whole strings would take V8's stack for those with millions of escapes. */
const token = /[{}[\],"]/g;

/** Looked for before anything is built, so that a small body cannot take much memory, or the stack. */
function faultOf(text: string): string | undefined {
  /** The names of each object that is open; null: an array. */
  const open: (Set<string> | null)[] = [];
  let isName = false;
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const part = found[0];
    const names = open.at(-1);
    if (part === '"') {
      const end = endOfString(text, found.index);
      // The parser says so better.
      if (end === -1) return undefined;
      token.lastIndex = end + 1;
      if (!isName || !names) continue;
      isName = false;
      const quoted = text.slice(found.index, end + 1);
      const name = quoted.includes("\\") ? unescaped(quoted) : quoted.slice(1, -1);
      if (names.has(name)) return `an object has the name ${JSON.stringify(name.slice(0, 100))} twice`;
      if (names.add(name).size > limits.names) return `an object has more than ${limits.names} names`;
    } else if (part === "{" || part === "[") {
      if (open.push(part === "{" ? new Set() : null) > limits.depth) return `nested deeper than ${limits.depth} levels`;
      isName = part === "{";
    } else if (part === "}" || part === "]") {
      open.pop();
      isName = false;
    } else isName = names instanceof Set;
  }
  return undefined;
}

/** Escapes that are none are left to the parser. */
function unescaped(part: string): string {
  try {
    return JSON.parse(part) as string;
  } catch {
    return part;
  }
}
