/** Prints a line on stdout. */
export const print = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Prints a line on stderr: errors, progress, whatever is not the answer. */
export const note = (line: string): boolean => process.stderr.write(`${line}\n`);

export const printJson = (value: unknown): boolean => print(JSON.stringify(value, null, 2));

/** Prints rows as aligned columns below their titles; the last column is not padded. */
export function printTable(titles: readonly string[], rows: readonly (readonly unknown[])[]): void {
  const cells = [titles, ...rows].map((row) => row.map(cell));
  const widths = titles.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const row of cells)
    print(
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    );
}

/** One line of text, whatever the value holds. */
function cell(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return printable(String(value)).replaceAll(/[\n\t]+/g, " ");
}

/** Text of a record without what a terminal would take as a command. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
}

/** `2026-01-31 14:03:22` of an RFC 3339 time, in UTC. */
export const shortTime = (time: string | null): string | null => time?.slice(0, 19).replace("T", " ") ?? null;
