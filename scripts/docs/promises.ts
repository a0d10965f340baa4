import type { promises } from "../../cli/guarantees/index.ts";
import { code, table } from "./markdown.ts";

/** The page with its table of promises, between two marks, written anew; the rest is written by hand. */
export function withPromises(page: string, rows: readonly (typeof promises)[keyof typeof promises][]): string {
  const text = table(
    ["Promise", "Conditions", "Held by"],
    rows.map(({ promise, conditions, heldBy }) => [promise, conditions, heldBy.map(code).join(", ")]),
  );
  const marks = /(<!-- promises: .*-->\n)[\s\S]*(<!-- end of promises -->)/;
  if (!marks.test(page)) throw new Error("docs/guarantees.md has lost the marks of its table of promises");
  return page.replace(marks, (_, begin, end) => `${begin}\n${text}\n${end}`);
}
