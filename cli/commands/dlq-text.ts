/** Lines of a record before and after, with what differs marked: `- ` before, `+ ` after. */
export function diffLines(before: unknown, after: unknown): string[] {
  const [old, next] = [leaves(before), leaves(after)];
  const lines: string[] = [];
  for (const path of new Set([...old.keys(), ...next.keys()])) {
    const [was, is] = [old.get(path), next.get(path)];
    if (was === is) lines.push(`  ${path}: ${is}`);
    else {
      if (was !== undefined) lines.push(`- ${path}: ${was}`);
      if (is !== undefined) lines.push(`+ ${path}: ${is}`);
    }
  }
  return lines;
}

/** Values by their paths, as JSON texts. */
function leaves(value: unknown, path = "", found = new Map<string, string>()): Map<string, string> {
  const entries = typeof value === "object" && value !== null && !JSON.isRawJSON(value) ? Object.entries(value) : [];
  if (entries.length === 0) found.set(path === "" ? "(record)" : path, JSON.stringify(value) ?? "undefined");
  for (const [name, inner] of entries) {
    const step = Array.isArray(value)
      ? `[${name}]`
      : /^[A-Za-z_]\w*$/.test(name)
        ? `.${name}`
        : `[${JSON.stringify(name)}]`;
    leaves(inner, path === "" ? step.replace(/^\./, "") : path + step, found);
  }
  return found;
}
