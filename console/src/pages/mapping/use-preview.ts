import { useEffect, useState } from "react";
import { send } from "../../api/client.ts";
import { useConnection } from "../../api/live.ts";
import { type Problem, toProblem } from "../../api/problem.ts";
import type { Preview } from "../../api/types.ts";
import { parseExact } from "../../lib/exact-json.ts";

const pauseMs = 250;

export interface Tried {
  /** The last one that there was; null: none yet. */
  readonly preview: Preview | null;
  /** Whether it is of what stands there now. */
  readonly isCurrent: boolean;
  /** Why there is none of what stands there now. */
  readonly problem: Problem | null;
}

interface Answer extends Pick<Tried, "preview" | "problem"> {
  /** The body that it answers. */
  readonly to: string | null;
}

/** What steps make of records, once nobody has typed for a moment. `body`: of the call; null: there is nothing to ask. */
export function usePreview(id: string, body: string | null): Tried {
  const [answer, setAnswer] = useState<Answer>({ to: null, preview: null, problem: null });
  const connection = useConnection();
  const isLost = answer.problem?.status === 0 && connection !== "live";
  const [again, setAgain] = useState(0);
  const wait = answer.to === body && answer.problem?.status === 429 ? (answer.problem.retryAfter ?? 5) : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once more after each time
  useEffect(() => {
    if (wait === null) return;
    const timer = setTimeout(() => setAgain((times) => times + 1), wait * 1000);
    return () => clearTimeout(timer);
  }, [wait, again]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when the server is back, or takes requests again
  useEffect(() => {
    if (body === null) return;
    const left = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const preview = await previewOf(id, body, left.signal);
        setAnswer({ to: body, preview, problem: null });
      } catch (error) {
        if (!left.signal.aborted) setAnswer(({ preview }) => ({ to: body, preview, problem: toProblem(error) }));
      }
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [id, body, isLost, again]);
  const isAnswered = answer.to === body;
  return {
    preview: answer.preview,
    isCurrent: isAnswered && answer.problem === null,
    problem: isAnswered ? answer.problem : null,
  };
}

/** Every digit of its numbers kept. */
export async function previewOf(id: string, body: string, signal: AbortSignal): Promise<Preview> {
  const response = await send(`/v1/integrations/${id}/preview`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal,
  });
  return parseExact(await response.text()) as Preview;
}
