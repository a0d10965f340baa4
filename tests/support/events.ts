import { onTestFinished } from "vitest";

export interface LiveEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API tells; tests say what they expect of it.
  readonly data: any;
}

/** Server-sent events as a client reads them. */
export class EventReader {
  readonly events: LiveEvent[] = [];
  /** Comments. */
  beats = 0;
  status = 0;
  /** Undefined while it is open. */
  end: "ended" | "broken" | undefined;
  readonly #stop = new AbortController();

  /** Closed with the test. Resolves once the server has answered. */
  static async open(url: string, token: string): Promise<EventReader> {
    const reader = new EventReader();
    onTestFinished(() => reader.close());
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: reader.#stop.signal,
    });
    reader.status = answer.status;
    void reader.#read(answer.body as ReadableStream<Uint8Array>);
    return reader;
  }

  close(): void {
    this.#stop.abort();
  }

  of(event: string): LiveEvent["data"][] {
    return this.events.filter((one) => one.event === event).map(({ data }) => data);
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    try {
      for await (const bytes of body) {
        text += decoder.decode(bytes, { stream: true });
        const parts = text.split("\n\n");
        text = parts.pop() as string;
        for (const part of parts) this.#take(part);
      }
      this.end = "ended";
    } catch {
      this.end = "broken";
    }
  }

  #take(part: string): void {
    if (part.startsWith(":")) this.beats++;
    const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
    if (event !== undefined) this.events.push({ event, data: JSON.parse(data as string) });
  }
}
