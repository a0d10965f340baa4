import { send } from "./client.ts";
import { toProblem } from "./problem.ts";
import { EventParser } from "./sse.ts";
import type { Events } from "./types.ts";

/**
 * connecting: for the first time, or since the tab is in sight again; lost: there was a connection, or an attempt at one,
 * and it is tried again.
 */
export type Connection = "connecting" | "live" | "lost";

export type EventListener = <Name extends keyof Events>(name: Name, data: Events[Name]) => void;

interface StreamOptions {
  /** Only what concerns this one, with its graph. */
  readonly integration?: string;
  readonly onEvent: EventListener;
  /** Null: there is none any more, nor will be. */
  readonly onConnection: (connection: Connection | null) => void;
}

/** The server beats every ten seconds. */
const silenceMs = 30_000;
/** A browser makes six connections to a host, for all tabs together. */
const hiddenMs = 10_000;
const pausesMs = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/**
 * Hears what happens on the server for as long as it is not closed and the tab can be seen: a connection that is lost,
 * or silent, is made again. Each begins with a snapshot, and `ready` after it. By fetch, since an EventSource sends no Authorization.
 */
export function openEvents({ integration, onEvent, onConnection }: StreamOptions): () => void {
  const closed = new AbortController();
  void keepOpen();
  return () => {
    closed.abort();
    onConnection(null);
  };

  async function keepOpen(): Promise<void> {
    for (let failures = 0; !closed.signal.aborted; failures++) {
      await inSight(closed.signal);
      if (closed.signal.aborted) return;
      if (failures === 0) onConnection("connecting");
      let waitMs = pausesMs[Math.min(failures, pausesMs.length - 1)] as number;
      try {
        await listen(() => {
          failures = 0;
          onConnection("live");
        });
      } catch (error) {
        const { status, retryAfter } = toProblem(error);
        // The session is over, or may not hear anything, or what it is about is gone: nothing will come of trying again.
        if (status === 401 || status === 403) return onConnection("lost");
        if (status === 404) return onConnection(null);
        if (retryAfter !== null) waitMs = retryAfter * 1000;
      }
      if (closed.signal.aborted) return;
      if (document.hidden) {
        failures = -1;
        continue;
      }
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
    let hidden: ReturnType<typeof setTimeout> | undefined;
    const onVisibility = () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(() => attempt.abort(), hiddenMs);
    };
    document.addEventListener("visibilitychange", onVisibility);
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
      document.removeEventListener("visibilitychange", onVisibility);
      clearTimeout(hidden);
      clearTimeout(silence);
      attempt.abort();
    }
  }
}

/** Resolves while the tab can be seen, or when the signal aborts. */
function inSight(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
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
