/**
 * I-Regexp (RFC 9485): checked against its grammar and written as an ECMAScript expression. `^` and `$` keep their
 * ECMAScript meaning, as the compliance suite has it. Undefined when the pattern is no I-Regexp.
 */
export function compileIRegexp(pattern: string, whole: boolean): RegExp | undefined {
  const known = cache.get(pattern);
  const pair = known ?? compile(pattern);
  if (known === undefined) {
    // Patterns may come from records; the cache stays small.
    if (cache.size >= 256) cache.clear();
    cache.set(pattern, pair);
  }
  return whole ? pair.whole : pair.part;
}

interface Compiled {
  readonly whole: RegExp | undefined;
  readonly part: RegExp | undefined;
}

const cache = new Map<string, Compiled>();

function compile(pattern: string): Compiled {
  const source = translate(pattern);
  try {
    if (source !== undefined) return { whole: new RegExp(`^(?:${source})$`, "u"), part: new RegExp(source, "u") };
  } catch {
    // A range in the wrong order ([z-a], {3,2}) passes the grammar only.
  }
  return { whole: undefined, part: undefined };
}

const category = "(?:L[lmotu]?|M[cen]?|N[dlo]?|P[c-fios]?|Z[lps]?|S[ckmo]?|C[cfno]?)";
const token = {
  quantifier: /[*+?]|\{[0-9]+(?:,[0-9]*)?\}/y,
  escape: /\\[()*+\-.?[\\\]^nrt{|}]/y,
  category: new RegExp(`\\\\[pP]\\{${category}\\}`, "uy"),
  normal: /[^()*+.?[\\\]{|}\ud800-\udfff]/uy,
  classCharacter: /[^\-[\\\]\ud800-\udfff]/uy,
};

function translate(pattern: string): string | undefined {
  let at = 0;
  let out = "";
  const open: number[] = [];
  const match = (expression: RegExp): string | undefined => {
    expression.lastIndex = at;
    const found = expression.exec(pattern)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const take = (character: string): boolean => {
    if (pattern[at] !== character) return false;
    at++;
    return true;
  };
  // In unicode mode ECMAScript knows \- only within a class.
  const escaped = (inClass: boolean): string | undefined => {
    const found = match(token.escape);
    return found === "\\-" && !inClass ? "-" : found;
  };
  const classCharacter = (): string | undefined => match(token.classCharacter) ?? escaped(true);
  const classExpression = (): string | undefined => {
    let text = take("^") ? "[^" : "[";
    let items = 0;
    if (take("-")) {
      text += "\\-";
      items++;
    }
    for (;;) {
      if (pattern[at] === "-" && pattern[at + 1] === "]" && items > 0) {
        at += 2;
        return `${text}\\-]`;
      }
      if (take("]")) return items > 0 ? `${text}]` : undefined;
      let item = match(token.category);
      if (item === undefined) {
        item = classCharacter();
        if (item === undefined) return undefined;
        if (pattern[at] === "-" && pattern[at + 1] !== "]") {
          at++;
          const end = classCharacter();
          if (end === undefined) return undefined;
          item += `-${end}`;
        }
      }
      text += item;
      items++;
    }
  };

  while (at < pattern.length) {
    if (take("(")) {
      open.push(at);
      out += "(?:";
      continue;
    }
    if (take("|")) {
      out += "|";
      continue;
    }
    if (take(")")) {
      if (open.pop() === undefined) return undefined;
      out += ")";
    } else if (take(".")) {
      out += "[^\\n\\r]";
    } else if (take("[")) {
      const text = classExpression();
      if (text === undefined) return undefined;
      out += text;
    } else {
      const atom = match(token.category) ?? escaped(false) ?? match(token.normal);
      if (atom === undefined) return undefined;
      // ^ and $ take no quantifier in unicode mode; "/" and the rest stand for themselves.
      out += atom;
    }
    out += match(token.quantifier) ?? "";
  }
  return open.length === 0 ? out : undefined;
}
