/** A Markdown table; a cell's line breaks and bars are made harmless. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(inCell).join(" | ")} |\n`;
  return `${line(titles)}|${"---|".repeat(titles.length)}\n${rows.map(line).join("")}`;
}

const inCell = (cell: string): string => cell.replaceAll("\n", " ").replaceAll("|", "\\|");

/** Text as code, whatever it holds. */
export function code(text: string): string {
  if (!text.includes("`")) return `\`${text}\``;
  return `\`\` ${text} \`\``;
}

/** A value as code, as it stands in YAML's flow style. */
export const codeOf = (value: unknown): string => code(JSON.stringify(value));

export const section = (level: number, title: string, ...texts: readonly string[]): string =>
  [`${"#".repeat(level)} ${title}\n`, ...texts.filter((text) => text !== "")].join("\n");

/** Where GitHub puts the heading of this title. */
export const anchor = (title: string): string =>
  `#${title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, "")
    .replaceAll(" ", "-")}`;

export const link = (title: string): string => `[${title}](${anchor(title)})`;
