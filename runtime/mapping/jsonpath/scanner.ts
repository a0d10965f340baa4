/** What a path, a template or a field path is refused with; `at` counts UTF-16 units from 0. */
export class PathError extends Error {
  override readonly name = "PathError";
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} (at character ${at + 1})`);
    this.at = at;
  }
}

const simpleEscapes: { readonly [letter: string]: string } = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  "/": "/",
  "\\": "\\",
};

/** A cursor over a text, with the tokens that JSONPath, templates and field paths share. */
export class Scanner {
  readonly text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  /** The character at the cursor, or the empty string at the end. */
  get next(): string {
    return this.text.charAt(this.at);
  }

  looksAt(token: string): boolean {
    return this.text.startsWith(token, this.at);
  }

  take(token: string): boolean {
    if (!this.looksAt(token)) return false;
    this.at += token.length;
    return true;
  }

  /** What a sticky expression matches at the cursor. */
  match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  /** RFC 9535's blanks. */
  skipBlanks(): void {
    this.match(/[ \t\n\r]*/y);
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.unexpected(`expected ${JSON.stringify(token)}`);
  }

  unexpected(expected: string): PathError {
    const found = this.done
      ? "the end"
      : JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at) as number));
    return new PathError(`${expected}, found ${found}`, this.at);
  }

  error(message: string, at = this.at): PathError {
    return new PathError(message, at);
  }

  /** A string literal in either kind of quotes, with RFC 9535's escapes; the cursor stands at the quote. */
  string(): string {
    const start = this.at;
    const quote = this.next;
    this.at++;
    let value = "";
    while (!this.take(quote)) {
      if (this.done) throw this.error("this string is not closed", start);
      value += this.take("\\") ? this.escape(quote) : this.character();
    }
    return value;
  }

  private character(): string {
    const code = this.text.codePointAt(this.at) as number;
    if (code < 0x20) throw this.error("a control character in a string must be escaped");
    if (isSurrogate(code)) throw this.error("a lone surrogate is no character");
    const character = String.fromCodePoint(code);
    this.at += character.length;
    return character;
  }

  private escape(quote: string): string {
    const letter = this.next;
    this.at++;
    if (letter === quote) return quote;
    if (letter !== "" && Object.hasOwn(simpleEscapes, letter)) return simpleEscapes[letter] as string;
    if (letter !== "u") throw this.error("an escape that JSONPath does not know", this.at - 2);
    const code = this.hexDigits();
    if (!isSurrogate(code)) return String.fromCharCode(code);
    if (code < 0xdc00 && this.take("\\u")) {
      const low = this.hexDigits();
      if (low >= 0xdc00 && low <= 0xdfff) return String.fromCharCode(code, low);
    }
    throw this.error("a lone surrogate is no character");
  }

  private hexDigits(): number {
    const digits = this.match(/[0-9A-Fa-f]{4}/y);
    if (digits === undefined) throw this.error("\\u takes four hexadecimal digits");
    return Number.parseInt(digits, 16);
  }
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}
