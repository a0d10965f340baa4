import { nearest } from "./nearest.ts";

/** Of names that nobody meant, as many as one can look over. */
const mostShown = 20;

/** `unknown field "conector"; did you mean "connector"?` */
export function unknownName(kind: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `unknown ${kind} ${JSON.stringify(name)}; did you mean ${JSON.stringify(near)}?`;
  const shown = known.slice(0, mostShown).join(", ");
  const more = known.length > mostShown ? ` and ${known.length - mostShown} more` : "";
  return `unknown ${kind} ${JSON.stringify(name)}${shown === "" ? "" : `; known are ${shown}${more}`}`;
}
