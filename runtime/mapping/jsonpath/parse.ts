import type { Json } from "../../../connectors/sdk/index.ts";
import { numberOf } from "../../record/number.ts";
import type { Comparable, Logical, Operator, Query, Segment, Selector } from "./ast.ts";
import { Scanner } from "./scanner.ts";

// The grammar of RFC 9535, section by section. json-p3 was tried in its place: it takes `$.first-name`, `!@.a == 1`,
// `@.a == 1 == 2` and `count(@.*) && @.a`, refuses `0.5`, and keeps no digits of its numbers.

/** Deeper nesting of parentheses, functions and filters is refused, so that a text cannot exhaust the stack. */
const maxDepth = 100;
const maxSegments = 1000;

const operators: readonly Operator[] = ["==", "!=", "<=", ">=", "<", ">"];
/** RFC 9535's functions, with what they take and give. */
export const functions = {
  length: { takes: ["value"], gives: "characters of a text, items of an array, members of an object; else nothing" },
  count: { takes: ["path"], gives: "how many values the path finds" },
  match: {
    takes: ["value", "pattern"],
    gives: "whether the value is a text that fits the I-Regexp (RFC 9485) as a whole",
  },
  search: { takes: ["value", "pattern"], gives: "whether the value is a text with a part that fits the I-Regexp" },
  value: { takes: ["path"], gives: "the value that the path finds; nothing where it finds none or several" },
} as const;
const functionNames = Object.keys(functions) as (keyof typeof functions)[];

/** Throws a PathError. */
export function parseQuery(text: string): Query {
  const parser = new Parser(new Scanner(text));
  const query = parser.rootQuery();
  parser.end("a JSONPath has ended here");
  return query;
}

/** A logical expression, blanks around it allowed. Throws a PathError. */
export function parseLogical(text: string): Logical {
  const parser = new Parser(new Scanner(text));
  parser.scanner.skipBlanks();
  if (parser.scanner.done) throw parser.scanner.error("the predicate is empty");
  const expression = parser.or();
  parser.scanner.skipBlanks();
  parser.end("the predicate has ended here");
  return expression;
}

/** The query that stands at the scanner's cursor, which ends up behind it: for templates. Throws a PathError. */
export function scanQuery(scanner: Scanner): Query {
  return new Parser(scanner).rootQuery();
}

class Parser {
  readonly scanner: Scanner;
  private depth = 0;

  constructor(scanner: Scanner) {
    this.scanner = scanner;
  }

  end(message: string): void {
    if (!this.scanner.done) throw this.scanner.unexpected(message);
  }

  rootQuery(): Query {
    if (this.scanner.next !== "$") throw this.scanner.unexpected('a JSONPath begins with "$"');
    return this.query();
  }

  private query(): Query {
    const { scanner } = this;
    const start = scanner.at;
    const root = scanner.next as "$" | "@";
    scanner.at++;
    const segments: Segment[] = [];
    for (;;) {
      const end = scanner.at;
      scanner.skipBlanks();
      const segment = this.segment();
      if (segment === undefined) {
        scanner.at = end;
        break;
      }
      segments.push(segment);
      if (segments.length > maxSegments) throw scanner.error(`more than ${maxSegments} segments`, start);
    }
    return { root, segments, singular: segments.every(isSingular), text: scanner.text.slice(start, scanner.at) };
  }

  private segment(): Segment | undefined {
    const { scanner } = this;
    if (scanner.next === "[") return { descendant: false, selectors: this.bracketed() };
    if (scanner.take("..")) {
      return { descendant: true, selectors: scanner.next === "[" ? this.bracketed() : [this.shorthand()] };
    }
    return scanner.take(".") ? { descendant: false, selectors: [this.shorthand()] } : undefined;
  }

  private shorthand(): Selector {
    const { scanner } = this;
    if (scanner.take("*")) return { kind: "wildcard" };
    const name = scanner.match(
      /[A-Za-z_\u{80}-\u{d7ff}\u{e000}-\u{10ffff}][0-9A-Za-z_\u{80}-\u{d7ff}\u{e000}-\u{10ffff}]*/uy,
    );
    if (name === undefined) throw scanner.unexpected('expected a name, "*" or, for any other name, ["…"]');
    if (scanner.next === "-") throw scanner.error(`a name with a hyphen is written in brackets: ["${name}-…"]`);
    return { kind: "name", name };
  }

  private bracketed(): Selector[] {
    const { scanner } = this;
    this.enter();
    scanner.expect("[");
    const selectors: Selector[] = [];
    do {
      scanner.skipBlanks();
      selectors.push(this.selector());
      scanner.skipBlanks();
    } while (scanner.take(","));
    scanner.expect("]");
    this.depth--;
    return selectors;
  }

  private selector(): Selector {
    const { scanner } = this;
    if (scanner.next === '"' || scanner.next === "'") return { kind: "name", name: scanner.string() };
    if (scanner.take("*")) return { kind: "wildcard" };
    if (scanner.take("?")) {
      scanner.skipBlanks();
      return { kind: "filter", where: this.or() };
    }
    const start = this.integer();
    const afterStart = scanner.at;
    scanner.skipBlanks();
    if (scanner.take(":")) return this.slice(start ?? null);
    if (start === undefined) throw scanner.unexpected("expected a name in quotes, an index, a slice, * or ?");
    scanner.at = afterStart;
    return { kind: "index", index: start };
  }

  /** The cursor stands behind the first colon. */
  private slice(start: number | null): Selector {
    const { scanner } = this;
    scanner.skipBlanks();
    const end = this.integer() ?? null;
    const afterEnd = scanner.at;
    scanner.skipBlanks();
    if (!scanner.take(":")) {
      scanner.at = afterEnd;
      return { kind: "slice", start, end, step: 1 };
    }
    const afterColon = scanner.at;
    scanner.skipBlanks();
    const step = this.integer();
    if (step === undefined) scanner.at = afterColon;
    return { kind: "slice", start, end, step: step ?? 1 };
  }

  private integer(): number | undefined {
    const { scanner } = this;
    const start = scanner.at;
    const text = scanner.match(/-?[0-9]+/y);
    if (text === undefined) return undefined;
    if (!/^(?:0|-?[1-9][0-9]*)$/.test(text))
      throw scanner.error("an index has no leading zero and no minus zero", start);
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw scanner.error("an index lies within ±(2^53 - 1)", start);
    return value;
  }

  or(): Logical {
    return this.chain("or", "||", () => this.chain("and", "&&", () => this.basic()));
  }

  private chain(kind: "or" | "and", token: string, term: () => Logical): Logical {
    const { scanner } = this;
    const terms = [term()];
    for (;;) {
      const end = scanner.at;
      scanner.skipBlanks();
      if (!scanner.take(token)) {
        scanner.at = end;
        return terms.length === 1 ? (terms[0] as Logical) : { kind, terms };
      }
      scanner.skipBlanks();
      terms.push(term());
    }
  }

  private basic(): Logical {
    const { scanner } = this;
    if (scanner.take("!")) {
      scanner.skipBlanks();
      return { kind: "not", term: scanner.next === "(" ? this.parenthesized() : this.test(this.operand()) };
    }
    if (scanner.next === "(") return this.parenthesized();
    const left = this.operand();
    const end = scanner.at;
    scanner.skipBlanks();
    const operator = operators.find((candidate) => scanner.take(candidate));
    if (operator === undefined) {
      scanner.at = end;
      return this.test(left);
    }
    scanner.skipBlanks();
    const right = this.operand();
    return { kind: "compare", left: this.comparable(left), operator, right: this.comparable(right) };
  }

  private parenthesized(): Logical {
    const { scanner } = this;
    this.enter();
    scanner.expect("(");
    scanner.skipBlanks();
    const expression = this.or();
    scanner.skipBlanks();
    scanner.expect(")");
    this.depth--;
    return expression;
  }

  /** A literal, a query or a function call, before it is known what is asked of it. */
  private operand(): Operand {
    const { scanner } = this;
    const at = scanner.at;
    if (scanner.next === "$" || scanner.next === "@") return { at, query: this.query() };
    if (scanner.next === '"' || scanner.next === "'")
      return { at, value: { kind: "literal", value: scanner.string() } };
    const number = scanner.match(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (number !== undefined) {
      if (/[0-9]/.test(scanner.next)) throw scanner.error("a number has no leading zero", at);
      return { at, value: { kind: "literal", value: numberOf(number) } };
    }
    const word = scanner.match(/[a-z][a-z_0-9]*/y);
    if (word !== undefined && scanner.next === "(") return this.call(word, at);
    if (word === "true" || word === "false" || word === "null") {
      return { at, value: { kind: "literal", value: JSON.parse(word) as Json } };
    }
    scanner.at = at;
    throw scanner.unexpected("expected a path ($… or @…), a literal or a function");
  }

  private call(word: string, at: number): Operand {
    const { scanner } = this;
    const name = functionNames.find((candidate) => candidate === word);
    if (name === undefined) throw scanner.error(`no function ${word}(); there are ${functionNames.join(", ")}`, at);
    this.enter();
    const args: Operand[] = [];
    scanner.expect("(");
    scanner.skipBlanks();
    if (scanner.next !== ")") {
      do {
        scanner.skipBlanks();
        args.push(this.operand());
        scanner.skipBlanks();
      } while (scanner.take(","));
    }
    scanner.expect(")");
    this.depth--;
    const wanted = functions[name].takes.length;
    if (args.length !== wanted) throw scanner.error(`${name}() takes ${wanted} argument${wanted > 1 ? "s" : ""}`, at);
    const [first, second] = args as [Operand, Operand];
    if (name === "length") return { at, value: { kind: "length", of: this.comparable(first) } };
    if (name === "match" || name === "search") {
      const [value, pattern] = [this.comparable(first), this.comparable(second)];
      return { at, test: { kind: "pattern", whole: name === "match", value, pattern } };
    }
    if (!("query" in first)) throw scanner.error(`${name}() takes a path`, first.at);
    return { at, value: { kind: name, query: first.query } };
  }

  private comparable(operand: Operand): Comparable {
    if ("value" in operand) return operand.value;
    if ("test" in operand)
      throw this.scanner.error("match() and search() are true or false and cannot be compared", operand.at);
    if (operand.query.singular) return { kind: "query", query: operand.query };
    throw this.scanner.error(`${operand.query.text} may find several values and cannot be compared`, operand.at);
  }

  private test(operand: Operand): Logical {
    if ("query" in operand) return { kind: "exists", query: operand.query };
    if ("test" in operand) return operand.test;
    throw this.scanner.error("a value alone is no condition; compare it", operand.at);
  }

  private enter(): void {
    if (++this.depth > maxDepth) throw this.scanner.error(`nested deeper than ${maxDepth}`);
  }
}

type Operand = { readonly at: number } & (
  | { readonly query: Query }
  | { readonly value: Comparable }
  | { readonly test: Logical }
);

function isSingular({ descendant, selectors }: Segment): boolean {
  const [only] = selectors;
  return !descendant && selectors.length === 1 && (only?.kind === "name" || only?.kind === "index");
}
