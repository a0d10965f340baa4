const target = /\s*<([^>]*)>/y;
const parameter = /\s*;\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+)))?/y;

/** The target of the first link of a relation in a Link header (RFC 8288). */
export function linkTo(header: string, rel: string): string | undefined {
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    if (found) at = pattern.lastIndex;
    return found;
  };
  while (at < header.length) {
    const link = match(target)?.[1];
    if (link === undefined) return undefined;
    let relations: string | undefined;
    for (let found = match(parameter); found; found = match(parameter)) {
      const [, name = "", quoted, plain] = found;
      // The first one counts.
      if (name.toLowerCase() === "rel") relations ??= quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
    }
    if (relations?.toLowerCase().split(/\s+/).includes(rel.toLowerCase())) return link;
    match(/\s*,?/y);
  }
  return undefined;
}
