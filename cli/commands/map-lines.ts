import { type Mapping, MappingFailure, type Predicate } from "../../runtime/mapping/index.ts";
import { decodeText } from "../../runtime/record/index.ts";

export interface MapCounts {
  in: number;
  out: number;
  filtered: number;
  failed: number;
}

export interface MappedLines {
  /** Mapped records, a line each. */
  readonly out: string;
  /** Failures as JSON, a line each. */
  readonly errors: string;
  /** Number of lines taken, blank ones included. */
  readonly lines: number;
  readonly counts: MapCounts;
}

/** Maps a block of whole lines, without the LF after the last; `first` is the number of its first line. */
export function mapLines(
  block: Uint8Array,
  first: number,
  mapping: Mapping,
  predicate: Predicate | undefined,
): MappedLines {
  const { values, failures } = decodeText(block);
  const counts: MapCounts = { in: values.length, out: 0, filtered: 0, failed: 0 };
  let out = "";
  let errors = "";
  let nextFailure = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const line = first + i;
    if (value === undefined) {
      const failure = failures[nextFailure++];
      if (failure?.blank) counts.in--;
      else {
        counts.failed++;
        errors += jsonError(line, failure?.message ?? "");
      }
      continue;
    }
    try {
      if (predicate !== undefined && !predicate.test(value)) {
        counts.filtered++;
        continue;
      }
      out += `${JSON.stringify(mapping.apply(value))}\n`;
      counts.out++;
    } catch (error) {
      if (!(error instanceof MappingFailure)) throw error;
      const { code, reason, rule, message } = error;
      counts.failed++;
      errors += `${JSON.stringify({ line, code, reason, rule, message })}\n`;
    }
  }
  return { out, errors, lines: values.length, counts };
}

/** The report of a line that is no record. */
export function jsonError(line: number, message: string): string {
  return `${JSON.stringify({ line, code: "VALIDATION_ERROR", reason: "json", rule: null, message })}\n`;
}
