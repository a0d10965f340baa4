import { isAscii, isUtf8 } from "node:buffer";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { describeType, isObject, isTooDeep, mayHoldLongNumber, parseJson, tooDeep } from "./json.ts";

export interface DecodeFailure {
  readonly index: number;
  /** One sentence that holds nothing of the line but at most one character. */
  readonly message: string;
  /** The line holds white space at most. */
  readonly blank: boolean;
}

/** Records by index: a line that is no record has undefined, and a failure. */
export interface Decoded {
  readonly values: (JsonObject | undefined)[];
  readonly failures: readonly DecodeFailure[];
}

/** Parses `count` JSON texts in UTF-8 with LF between them. One line's failure does not touch the others. */
export function decodeLines(body: Uint8Array, count: number): Decoded {
  const decoded = count === 0 ? { values: [], failures: [] } : decodeText(body);
  // Not a record's failure but a broken batch: to guess which line is whose would mix records up.
  if (decoded.values.length !== count) throw new Error(`a batch of ${count} has ${decoded.values.length} lines`);
  return decoded;
}

/** As `decodeLines`, for any number of lines; an empty text is one empty line. */
export function decodeText(body: Uint8Array): Decoded {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!isUtf8(bytes)) return decodeEach(splitBytes(bytes));
  const text = bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
  const lines = text.split("\n");
  return mayHoldLongNumber(text) ? decode(lines, parseJson) : decode(lines, JSON.parse as (line: string) => Json);
}

function decode(lines: readonly string[], parse: (line: string) => Json): Decoded {
  const values: (JsonObject | undefined)[] = new Array(lines.length);
  const failures: DecodeFailure[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string;
    let message: string;
    try {
      const value = parse(line);
      if (isObject(value) && !isTooDeep(value, line.length)) {
        values[index] = value;
        continue;
      }
      message = isObject(value) ? tooDeep : `a record must be a JSON object, found ${describeType(value)}`;
    } catch (error) {
      message = error instanceof SyntaxError ? syntaxMessage(error.message) : tooDeep;
    }
    values[index] = undefined;
    failures.push({ index, message, blank: /^[ \t\r]*$/.test(line) });
  }
  return { values, failures };
}

/** The slow way, for a body with invalid UTF-8 in it: only the lines concerned fail. */
function decodeEach(lines: readonly Buffer[]): Decoded {
  const values: (JsonObject | undefined)[] = new Array(lines.length);
  const failures: DecodeFailure[] = [];
  for (const [index, line] of lines.entries()) {
    if (isUtf8(line)) {
      const one = decode([line.toString()], parseJson);
      values[index] = one.values[0];
      failures.push(...one.failures.map((failure) => ({ ...failure, index })));
    } else {
      values[index] = undefined;
      failures.push({ index, message: `not valid UTF-8 at byte ${invalidAt(line)} of the line`, blank: false });
    }
  }
  return { values, failures };
}

function splitBytes(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  lines.push(bytes.subarray(start));
  return lines;
}

/** Offset of the first byte that is no UTF-8, from 0: where the text written back first differs, or just before. */
function invalidAt(line: Buffer): number {
  const back = Buffer.from(line.toString());
  let at = 0;
  while (line[at] === back[at]) at++;
  while (!isUtf8(line.subarray(0, at))) at--;
  return at;
}

/** The parser's message without its excerpt of the text, which may hold what nobody should read in a log. */
function syntaxMessage(message: string): string {
  return message
    .replace(/^(Unexpected token) '(.{1,2}?)', .*$/su, (_all, words: string, token: string) => {
      return `${words} ${JSON.stringify(token)} in JSON`;
    })
    .replace(/^".*" is not valid JSON$/s, "not valid JSON")
    .replace(/ \(line \d+ column \d+\)$/, "");
}
