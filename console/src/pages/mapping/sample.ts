import { parseExact } from "../../lib/exact-json.ts";

/*
 * Records that rules are tried with.
 */

/** In characters. What is larger is not sent each time somebody types. */
export const largestTried = 512 * 1024;
/** A sample is a few records. */
export const mostRecords = 20;

/** A record of the sample as text. */
export type Sampled =
  | { readonly text: string; readonly record: object }
  | { readonly text: string; readonly error: string };

/** A text as a record, or why it is none that can be tried. */
export function sampled(text: string): Sampled {
  if (text.length > largestTried)
    return { text, error: "It is too large to be tried while one types: 512 kB at most." };
  try {
    const record = parseExact(text);
    if (isRecord(record)) return { text, record };
    return { text, error: "A record is one JSON object." };
  } catch (error) {
    return { text, error: `This is no JSON yet: ${(error as Error).message}` };
  }
}

/** The records of what was pasted: a list of objects, or an object a line. Null: it is one record or none. */
export function recordsIn(text: string): readonly string[] | null {
  if (text.length > 20 * largestTried) return null;
  const found = listOf(text);
  if (found === null || found.length === 0 || !found.every(isRecord)) return null;
  return found.slice(0, mostRecords).map(recordText);
}

export const recordText = (record: unknown): string => JSON.stringify(record, null, 2);

function listOf(text: string): readonly unknown[] | null {
  try {
    const value = parseExact(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return linesOf(text);
  }
}

function linesOf(text: string): readonly unknown[] | null {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length < 2) return null;
  try {
    return lines.slice(0, mostRecords).map(parseExact);
  } catch {
    return null;
  }
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
