import { send } from "./client.ts";
import { toProblem } from "./problem.ts";
import { EventParser } from "./sse.ts";
import type { Events } from "./types.ts";

/** connecting: for the first time; lost: there was a connection, or an attempt at one, and it is tried again. */
export type Connection = "connecting" | "live" | "lost";

export type EventListener = <Name extends keyof Events>(name: Name, data: Events[Name]) => void;

interface StreamOptions {
  /** Only what concerns this one, with its graph. */
  readonly integration?: string;
  readonly onEvent: EventListener;
  readonly onConnection?: (connection: Connection) => void;
}

/** The server beats every ten seconds. */
const silenceMs = 30_000;
const pausesMs = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/**
 * Hears what happens on the server for as long as it is not closed: a connection that is lost, or silent, is made
 * again. Each begins with a snapshot, and `ready` after it. By fetch, since an EventSource sends no Authorization.
 */
export function openEvents({ integration, onEvent, onConnection = () => {} }: StreamOptions): () => void {
  const closed = new AbortController();
  void keepOpen();
  return () => closed.abort();

  async function keepOpen(): Promise<void> {
    for (let failures = 0; !closed.signal.aborted; failures++) {
      let waitMs = pausesMs[Math.min(failures, pausesMs.length - 1)] as number;
      try {
        await listen(() => {
          failures = 0;
          onConnection("live");
        });
      } catch (error) {
        const { status, retryAfter } = toProblem(error);
        // The session is over, or may not hear anything: nothing will come of trying again.
        if (status === 401 || status === 403) return onConnection("lost");
        if (retryAfter !== null) waitMs = retryAfter * 1000;
      }
      if (closed.signal.aborted) return;
      onConnection("lost");
      // All consoles that a node served come back at other moments; a browser that is online again comes at once.
      await pause(waitMs * (0.5 + Math.random() / 2), closed.signal);
    }
  }

  /** Resolves when the stream ends. */
  async function listen(onOpen: () => void): Promise<void> {
    const attempt = new AbortController();
    const signal = AbortSignal.any([closed.signal, attempt.signal]);
    let silence = setTimeout(() => attempt.abort(), silenceMs);
    try {
      const response = await send("/v1/events", {
        query: { integration },
        signal,
        headers: { accept: "text/event-stream" },
      });
      onOpen();
      const parser = new EventParser();
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        clearTimeout(silence);
        silence = setTimeout(() => attempt.abort(), silenceMs);
        for (const { event, data } of parser.take(read.value)) onEvent(event as keyof Events, JSON.parse(data));
      }
    } finally {
      clearTimeout(silence);
      attempt.abort();
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
