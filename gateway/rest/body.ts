import type { Json } from "../../connectors/sdk/index.ts";
import { messageOf, SluiceError } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** As deep as a record may be, and as many names in an object as anybody means. */
const limits = { depth: 1000, names: 10_000 };

/** A body as JSON. Throws VALIDATION_ERROR, also for what parsers differ about (RFC 8259, section 4): a name twice. */
export function parseBody(body: Buffer): Json {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    throw refused("it is not UTF-8");
  }
  const fault = faultOf(text);
  if (fault !== undefined) throw refused(fault);
  try {
    return parseJson(text);
  } catch (error) {
    throw refused(messageOf(error));
  }
}

const refused = (why: string) => new SluiceError("VALIDATION_ERROR", `the body is no JSON that is taken here: ${why}`);

/** Strings as a whole, what opens, closes and parts, and a quote that nothing closes. */
const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],"]/gs;

/** Looked for before anything is built, so that a small body cannot take much memory, or the stack. */
function faultOf(text: string): string | undefined {
  /** The names of each object that is open; null: an array. */
  const open: (Set<string> | null)[] = [];
  let isName = false;
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const part = found[0];
    const names = open.at(-1);
    // The parser says so better.
    if (part === '"') return undefined;
    if (part === "{" || part === "[") {
      if (open.push(part === "{" ? new Set() : null) > limits.depth) return `nested deeper than ${limits.depth} levels`;
      isName = part === "{";
    } else if (part === "}" || part === "]") {
      open.pop();
      isName = false;
    } else if (part === ",") isName = names instanceof Set;
    else if (isName && names) {
      isName = false;
      const name = part.includes("\\") ? unescaped(part) : part.slice(1, -1);
      if (names.has(name)) return `an object has the name ${JSON.stringify(name.slice(0, 100))} twice`;
      if (names.add(name).size > limits.names) return `an object has more than ${limits.names} names`;
    }
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
