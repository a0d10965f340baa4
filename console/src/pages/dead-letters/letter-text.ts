import type { DeadLetter, DeadLetterDetail, JsonObject } from "../../api/types.ts";
import { parseExact } from "../../lib/exact-json.ts";

/** A dead letter as it is shown: what is in it as texts, every digit of its numbers kept. */
export interface Letter {
  readonly info: DeadLetter;
  /** The record as it came; what is no JSON object, as the text that it is. */
  readonly original: string;
  readonly isRecord: boolean;
  /** Before the step or destination that refused it. */
  readonly state: string | null;
  readonly corrected: string | null;
}

/** Of the API's answer. */
export function readLetter(answer: string): Letter {
  const { payload, raw, state, corrected, ...info } = parseExact(answer) as DeadLetterDetail;
  const record = recordIn(raw) ?? (isRecord(payload) ? payload : undefined);
  return {
    info,
    original: record === undefined ? raw : pretty(record),
    isRecord: record !== undefined,
    state: state === null ? null : pretty(state),
    corrected: corrected === null ? null : pretty(corrected),
  };
}

/** The record that a text is; undefined where it is none. */
export function recordIn(text: string): JsonObject | undefined {
  try {
    const value = parseExact(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The same text for the same record, however it was written. What is no record stays as it is. */
export function formatted(text: string): string {
  const record = recordIn(text);
  return record === undefined ? text : pretty(record);
}

const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const pretty = (value: unknown): string => JSON.stringify(value, null, 2);
