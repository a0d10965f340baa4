import { useEffect, useState } from "react";
import { api } from "../../api/client.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Preview, PreviewedRecord } from "../../api/types.ts";
import { recordIn } from "./letter-text.ts";

const pauseMs = 500;
/** Up to here it is tried by itself as one types; in characters. */
const small = 200_000;
/** Of a request, in bytes. */
export const mostBytes = 8_000_000;

export interface Tried {
  /** Of the text as it is now; undefined: it is not known yet. */
  readonly record: PreviewedRecord | undefined;
  readonly problem: Problem | null;
  /** Tries it now; null: it is tried by itself. */
  readonly tryIt: (() => void) | null;
  /** Larger than a request may be. */
  readonly isTooLarge: boolean;
}

interface Answer {
  readonly text: string;
  readonly record?: PreviewedRecord;
  readonly problem?: Problem;
}

/** What the integration's steps, as they are now, make of a text once nobody has typed for a moment. */
export function usePreview(letter: string, version: number, text: string, isWanted: boolean): Tried {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [asked, ask] = useState<string | null>(null);
  const isSmall = text.length <= small;
  const isTried = isWanted && (isSmall || asked === text);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version may make something else of it
  useEffect(() => {
    const record = isTried ? recordIn(text) : undefined;
    if (record === undefined) return;
    const left = new AbortController();
    const timer = setTimeout(
      async () => {
        const given = { signal: left.signal, idempotencyKey: null };
        const found: Answer = await api
          .post<Preview>(`/v1/dead-letter/${letter}/preview`, { payload: record }, given)
          .then(({ records: [first] }) => ({ text, ...(first && { record: first }) }))
          .catch((error: unknown) => ({ text, problem: toProblem(error) }));
        if (!left.signal.aborted) setAnswer(found);
      },
      answer === null ? 0 : pauseMs,
    );
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [letter, version, text, isTried]);
  const current = answer?.text === text ? answer : null;
  return {
    record: current?.record,
    problem: current?.problem ?? null,
    tryIt: isSmall || isTried ? null : () => ask(text),
    isTooLarge: text.length > mostBytes,
  };
}
