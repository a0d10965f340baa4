const [lf, cr, quote] = [0x0a, 0x0d, 0x22];

/** Parses one row at a time; its members describe the last one. */
export class CsvRow {
  fields: string[] = [];
  /** Index after the row and its line end. */
  next = 0;
  /** Line ends in the row, its own included. */
  lines = 0;
  /** Why it is no row, where it is none. */
  problem: string | undefined;
  /** An empty line. */
  isEmpty = false;

  /** False when the view ends before the row does, which `isLast` excludes. */
  parse(view: Buffer, at: number, isLast: boolean): boolean {
    const lineEnd = view.indexOf(lf, at);
    if (lineEnd === -1 && !isLast) return false;
    const end = lineEnd === -1 ? view.length : lineEnd;
    this.#take(view, end);
    this.problem = undefined;
    const text = view.toString("utf8", at, end > at && view[end - 1] === cr ? end - 1 : end);
    this.isEmpty = text === "";
    if (!text.includes('"')) {
      this.fields = text.split(",");
      return true;
    }
    this.fields = [];
    const stop = split(text, this.fields);
    if (stop === "open") return this.#parseLines(view, at, isLast);
    if (typeof stop === "string") this.giveUp(view, at, this.next, stop);
    return true;
  }

  /** The line that ends before `next` is no row. */
  giveUp(view: Buffer, at: number, next: number, problem: string): void {
    this.#take(view, view[next - 1] === lf ? next - 1 : next);
    this.fields = [];
    this.isEmpty = next === at;
    this.problem = problem;
  }

  /** A row with a line break in a quoted field. Read as Latin-1, so that an index in the text is one in the bytes. */
  #parseLines(view: Buffer, at: number, isLast: boolean): boolean {
    const first = this.next;
    // Twice as much for a row that does not end, so that a long one is looked at a few times only.
    for (let length = 2 * (first - at); ; length *= 2) {
      const close = view.indexOf(quote, Math.min(view.length, at + length));
      const lineEnd = close === -1 ? -1 : view.indexOf(lf, close);
      const isAll = lineEnd === -1;
      const fields: string[] = [];
      const text = view.toString("latin1", at, isAll ? view.length : lineEnd + 1);
      const stop = split(text, fields);
      if (typeof stop === "number" && (stop < text.length || isLast)) {
        this.#take(view, at + stop);
        this.lines = lineEnds(text, Math.min(stop + 1, text.length));
        this.fields = fields.map((field) => Buffer.from(field, "latin1").toString());
        return true;
      }
      if (isAll && !isLast) return false;
      if (typeof stop === "string" && (stop !== "open" || isAll)) {
        this.giveUp(view, at, first, stop === "open" ? "a quote is not closed" : stop);
        return true;
      }
    }
  }

  #take(view: Buffer, end: number): void {
    const hasEnd = end < view.length;
    this.next = hasEnd ? end + 1 : end;
    this.lines = hasEnd ? 1 : 0;
  }
}

/**
 * Appends the fields of the row that `text` begins with; gives the index of its line end (or the text's), why it is no
 * row, or "open" where the text ends within quotes.
 */
function split(text: string, fields: string[]): number | string {
  for (let at = 0; ; at++) {
    if (text.charCodeAt(at) !== quote) {
      let end = text.indexOf(",", at);
      const lineEnd = text.indexOf("\n", at);
      if (end === -1 || (lineEnd !== -1 && lineEnd < end)) {
        end = lineEnd === -1 ? text.length : lineEnd;
        fields.push(text.slice(at, end > at && text.charCodeAt(end - 1) === cr ? end - 1 : end));
        return end;
      }
      fields.push(text.slice(at, end));
      at = end;
      continue;
    }
    let close = text.indexOf('"', at + 1);
    let hasQuotes = false;
    while (close !== -1 && text.charCodeAt(close + 1) === quote) {
      hasQuotes = true;
      close = text.indexOf('"', close + 2);
    }
    if (close === -1) return "open";
    const field = text.slice(at + 1, close);
    fields.push(hasQuotes ? field.replaceAll('""', '"') : field);
    at = close + 1;
    if (text.charCodeAt(at) === cr && (at + 1 === text.length || text.charCodeAt(at + 1) === lf)) at++;
    if (at === text.length || text.charCodeAt(at) === lf) return at;
    if (text[at] !== ",") return "something follows a closing quote";
  }
}

function lineEnds(text: string, end: number): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Names of the columns: one without a name is `column_3`, one that is there already `name_2`. */
export function csvColumns(header: readonly string[]): string[] {
  const taken = new Set(header);
  const used = new Set<string>();
  return header.map((field, index) => {
    let name = field === "" ? `column_${index + 1}` : field;
    for (let number = 2; used.has(name) || (name !== field && taken.has(name)); number++) {
      name = `${field === "" ? `column_${index + 1}` : field}_${number}`;
    }
    used.add(name);
    return name;
  });
}
