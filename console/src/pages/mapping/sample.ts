import { parseExact } from "../../lib/exact-json.ts";
import { bytes } from "../../lib/format.ts";
import type { Config } from "./places.ts";

/*
 * Records that rules are tried with.
 */

/** In characters. What is larger is not sent each time somebody types. */
const largestTried = 512 * 1024;
/** A sample is a few records. */
export const mostRecords = 20;

/** A record of the sample as text; no record where that is none, or is too large to be tried. */
export type Sampled =
  | { readonly text: string; readonly record: object }
  | { readonly text: string; readonly error: string; readonly isLarge: boolean };

/** A text as a record, or why it is none that can be tried. */
export function sampled(text: string): Sampled {
  const wrong = (error: string, isLarge = false) => ({ text, error, isLarge });
  if (text.length > largestTried) {
    return wrong(`It has ${bytes(text.length)}: too much to be tried while one types, which goes up to 512 kB.`, true);
  }
  try {
    const record = parseExact(text);
    return isRecord(record) ? { text, record } : wrong("A record is one JSON object.");
  } catch (error) {
    return wrong(`This is no JSON yet: ${(error as Error).message}`);
  }
}

/** The records of what was pasted: a list of objects, or an object a line. Null: it is one record or none. */
export function recordsIn(text: string): readonly string[] | null {
  if (text.length > 20 * largestTried) return null;
  const found = listOf(text);
  if (found === null || found.length === 0 || !found.every(isRecord)) return null;
  return found.slice(0, mostRecords).map(recordText);
}

/**
 * What is asked of the server for the first records of the source: no step takes them, so that none can fail. Null:
 * records are sent to it, and none can be read.
 */
export function sampleBody(config: Config, sample: number): string | null {
  if (config.source === undefined && config.sources === undefined) return null;
  const [first] = (config.destinations as readonly object[] | undefined) ?? [config.destination];
  const { id: _, needs: __, ...destination } = (first ?? {}) as { readonly id?: unknown; readonly needs?: unknown };
  const spec = { mapping_spec: null, pipeline_spec: null, destinations: null, destination };
  return JSON.stringify({ sample, spec });
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
