import { nearest } from "./nearest.ts";

/** `unknown field "conector"; did you mean "connector"?` */
export function unknownName(kind: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `unknown ${kind} ${JSON.stringify(name)}; did you mean ${JSON.stringify(near)}?`;
  return `unknown ${kind} ${JSON.stringify(name)}${known.length > 0 ? `; known are ${known.join(", ")}` : ""}`;
}
