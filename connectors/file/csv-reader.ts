import { isUtf8 } from "node:buffer";
import { ConnectorError, type ReadFailure, rawLimit } from "../sdk/index.ts";
import { CsvRow, csvColumns } from "./csv-row.ts";
import {
  type Aims,
  afterMark,
  type Cut,
  type Place,
  type ReaderOptions,
  type RecordReader,
  recordLimit,
  skipLine,
  tailOf,
} from "./reader.ts";
import type { Window } from "./window.ts";

/** How much of what was read stays in view, so that a place's tail can be told. */
const kept = 64;

/**
 * Reads rows of RFC 4180 into objects of texts. A row that is no row of this table is a failure, and reading goes on
 * with the line after the one it begins on: a quote that is never closed costs one row, not the rest of the file.
 */
export class CsvReader implements RecordReader {
  readonly #name: string;
  readonly #window: Window;
  readonly #aims: Aims;
  readonly #isComplete: ReaderOptions["isComplete"];
  readonly #from: Place | null;
  readonly #row = new CsvRow();
  #columns: readonly string[] | undefined;
  /** `{"first":`, `,"second":` and so on. */
  #prefixes: readonly string[] = [];
  #at = 0;
  #line = 1;

  constructor({ name, window, aims, from, isComplete }: ReaderOptions) {
    this.#name = name;
    this.#window = window;
    this.#aims = aims;
    this.#from = from;
    this.#isComplete = isComplete;
  }

  async next(): Promise<Cut | null> {
    if (this.#columns === undefined) {
      if (!(await this.#readHeader())) return null;
      if (this.#from) {
        await this.#window.skipTo(this.#from.offset);
        this.#at = 0;
        this.#line = this.#from.line;
      }
    }
    const texts: string[] = [];
    const ordinals: number[] = [];
    const failures: ReadFailure[] = [];
    let bytes = 0;
    while (texts.length < this.#aims.records) {
      const end = await this.#find();
      if (end === "end") break;
      if (end === "too long") {
        if (texts.length > 0) break;
        return await this.#skip();
      }
      const problem = this.#problem();
      const text = problem === undefined ? this.#text() : "null";
      bytes += Buffer.byteLength(text) + 1;
      if (texts.length > 0 && bytes - 1 > this.#aims.bytes) break;
      if (problem !== undefined) {
        const message = `${this.#name} line ${this.#line}: ${problem}.`;
        failures.push({ index: texts.length, code: "VALIDATION_ERROR", message, raw: this.#raw() });
      }
      texts.push(text);
      ordinals.push(this.#line);
      this.#pass();
    }
    if (texts.length === 0) {
      if (this.#window.failure !== undefined) throw this.#window.failure;
      return null;
    }
    const first = ordinals[0]!;
    const { view, offset } = this.#window;
    return {
      data: Buffer.from(texts.join("\n")),
      count: texts.length,
      first,
      ordinals: ordinals.at(-1)! - first === texts.length - 1 ? undefined : ordinals,
      failures: failures.length > 0 ? failures : undefined,
      place: { offset: offset + this.#at, line: this.#line, tail: tailOf(view, this.#at) },
    };
  }

  async #readHeader(): Promise<boolean> {
    await this.#window.slide(0);
    this.#at = afterMark(this.#window.view);
    const end = await this.#find();
    if (end === "end") {
      if (this.#window.failure !== undefined) throw this.#window.failure;
      return false;
    }
    if (end === "too long" || this.#row.problem !== undefined) {
      const why = end === "too long" ? "is too long" : `cannot be read: ${this.#row.problem}`;
      throw new ConnectorError("VALIDATION_ERROR", `The header of ${this.#name} ${why}.`, {
        fault: "destination",
        path: "source.stream",
      });
    }
    this.#columns = csvColumns(this.#row.fields);
    this.#prefixes = this.#columns.map((name, index) => `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`);
    this.#pass();
    return true;
  }

  /** Parses the row at `#at` into `#row`, reading on as needed; empty lines are passed. */
  async #find(): Promise<"found" | "too long" | "end"> {
    const window = this.#window;
    for (;;) {
      const { view } = window;
      const isLast = window.ended && window.failure === undefined;
      const isFound = this.#row.parse(view, this.#at, isLast);
      if (isFound && this.#row.next - this.#at <= recordLimit) {
        if (this.#row.isEmpty) {
          if (this.#row.next === this.#at) return "end";
          this.#pass();
          continue;
        }
        const isTorn = this.#row.next === view.length && view[view.length - 1] !== 0x0a;
        return isTorn && !this.#isComplete(view.subarray(this.#at)) ? "end" : "found";
      }
      if (isFound || view.length - this.#at > recordLimit) {
        // A quote that is not closed for so long was never meant to be one that opens.
        const line = view.indexOf(0x0a, this.#at);
        if (line === -1 || line - this.#at > recordLimit) return "too long";
        this.#row.giveUp(view, this.#at, line + 1, "a quote is not closed");
        return "found";
      }
      if (window.ended) return "end";
      const drop = Math.max(0, this.#at - kept);
      await window.slide(drop);
      this.#at -= drop;
    }
  }

  #pass(): void {
    this.#line += this.#row.lines;
    this.#at = this.#row.next;
  }

  #problem(): string | undefined {
    const { problem, fields } = this.#row;
    if (problem !== undefined) return problem;
    const expected = this.#columns!.length;
    if (fields.length !== expected) return `${fields.length} fields where the header has ${expected}`;
    // The replacement character is what invalid bytes were decoded to, unless it stood there itself.
    const isDoubtful = fields.some((field) => field.includes("\ufffd"));
    return isDoubtful && !isUtf8(this.#window.view.subarray(this.#at, this.#row.next)) ? "it is not UTF-8" : undefined;
  }

  #text(): string {
    let text = "";
    for (const [index, field] of this.#row.fields.entries()) text += this.#prefixes[index]! + JSON.stringify(field);
    return `${text}}`;
  }

  #raw(): Buffer {
    const row = this.#window.view.subarray(this.#at, this.#row.next);
    const line = row.at(-1) === 0x0a ? row.subarray(0, row.at(-2) === 0x0d ? -2 : -1) : row;
    return Buffer.from(line.subarray(0, rawLimit));
  }

  async #skip(): Promise<Cut> {
    const cut = await skipLine(this.#window, this.#at, this.#name, this.#line);
    this.#at = 0;
    this.#line++;
    return cut;
  }
}
