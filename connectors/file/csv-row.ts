const [lf, cr, comma, quote] = [0x0a, 0x0d, 0x2c, 0x22];

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
  /** Index of the next quote at or after the rows parsed so far in `#view`. */
  #quote = -1;
  #view: Buffer | undefined;

  /** False when the view ends before the row does, which `isLast` excludes. */
  parse(view: Buffer, at: number, isLast: boolean): boolean {
    const lineEnd = view.indexOf(lf, at);
    if (lineEnd === -1 && !isLast) return false;
    const end = lineEnd === -1 ? view.length : lineEnd;
    this.#take(view, end);
    this.problem = undefined;
    if (this.#quoteFrom(view, at) >= end) {
      const stop = end > at && view[end - 1] === cr ? end - 1 : end;
      this.isEmpty = stop === at;
      this.fields = view.toString("utf8", at, stop).split(",");
      return true;
    }
    this.isEmpty = false;
    return this.#parseQuoted(view, at, isLast);
  }

  /** The line that ends before `next` is no row. */
  giveUp(view: Buffer, at: number, next: number, problem: string): void {
    this.#take(view, view[next - 1] === lf ? next - 1 : next);
    this.fields = [];
    this.isEmpty = next === at;
    this.problem = problem;
  }

  #take(view: Buffer, end: number): void {
    const hasEnd = end < view.length;
    this.next = hasEnd ? end + 1 : end;
    this.lines = hasEnd ? 1 : 0;
  }

  #quoteFrom(view: Buffer, at: number): number {
    if (this.#view !== view || this.#quote < at) {
      const found = view.indexOf(quote, at);
      this.#quote = found === -1 ? view.length : found;
      this.#view = view;
    }
    return this.#quote;
  }

  #parseQuoted(view: Buffer, start: number, isLast: boolean): boolean {
    const fields: string[] = [];
    let lines = 0;
    let at = start;
    for (;;) {
      if (view[at] === quote) {
        let close = view.indexOf(quote, at + 1);
        let hasQuotes = false;
        while (close !== -1 && view[close + 1] === quote) {
          hasQuotes = true;
          close = view.indexOf(quote, close + 2);
        }
        // A quote at the view's very end may be the first of two.
        if (close === -1 || close + 1 === view.length) {
          if (!isLast) return false;
          if (close === -1) return this.#refuse(view, start, "a quote is not closed");
        }
        const text = view.toString("utf8", at + 1, close);
        fields.push(hasQuotes ? text.replaceAll('""', '"') : text);
        for (let inner = text.indexOf("\n"); inner !== -1; inner = text.indexOf("\n", inner + 1)) lines++;
        at = close + 1;
        if (view[at] === cr && (at + 1 === view.length || view[at + 1] === lf)) {
          if (at + 1 === view.length && !isLast) return false;
          at++;
        }
        if (at < view.length && view[at] !== comma && view[at] !== lf) {
          return this.#refuse(view, start, "something follows a closing quote");
        }
      } else {
        const from = at;
        while (at < view.length && view[at] !== comma && view[at] !== lf) at++;
        if (at === view.length && !isLast) return false;
        const isEndOfRow = at === view.length || view[at] === lf;
        fields.push(view.toString("utf8", from, isEndOfRow && at > from && view[at - 1] === cr ? at - 1 : at));
      }
      if (at === view.length || view[at] === lf) break;
      at++;
    }
    this.#take(view, at);
    this.lines += lines;
    this.fields = fields;
    return true;
  }

  #refuse(view: Buffer, start: number, problem: string): true {
    const lineEnd = view.indexOf(lf, start);
    this.giveUp(view, start, lineEnd === -1 ? view.length : lineEnd + 1, problem);
    return true;
  }
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
