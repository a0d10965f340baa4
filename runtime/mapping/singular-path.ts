import { parseQuery } from "./jsonpath/parse.ts";

/** Names and indexes of a singular query that begins at the record; undefined for any other. Throws a PathError. */
export function singularPath(text: string): readonly (string | number)[] | undefined {
  const { singular, segments } = parseQuery(text);
  if (!singular) return undefined;
  return segments.map(({ selectors: [selector] }) =>
    selector?.kind === "name" ? selector.name : selector?.kind === "index" ? selector.index : "",
  );
}
