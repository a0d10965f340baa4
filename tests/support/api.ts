import { expect } from "vitest";

export interface Run {
  readonly id: string;
  readonly status: "running" | "success" | "partial" | "failed" | "cancelled";
  readonly trigger: string;
  readonly records_in: number;
  readonly records_out: number;
  readonly records_filtered: number;
  readonly records_failed: number;
  readonly by_destination: Record<string, { out: number; failed: number }>;
  readonly error: { code: string; message: string; path?: string } | null;
  readonly waiting?: string | null;
  readonly started_at: string;
  /** Null before the first commit. */
  readonly ledger: { readonly balanced: boolean; readonly imbalances: readonly object[] } | null;
}

export interface Answer<T> {
  readonly status: number;
  readonly text: string;
  readonly body: T;
}

/** The REST API as a user's program sees it. */
export class Api {
  readonly #server: () => { readonly url: string; readonly token: string };

  constructor(server: () => { readonly url: string; readonly token: string }) {
    this.#server = server;
  }

  /** An answer that need not be JSON. */
  async text(path: string): Promise<{ status: number; text: string }> {
    return await this.#send("GET", path);
  }

  async request<T>(method: string, path: string, body?: unknown, headers: object = {}): Promise<Answer<T>> {
    const { status, text } = await this.#send(method, path, body, headers);
    return { status, text, body: text === "" ? (null as T) : JSON.parse(text) };
  }

  async #send(
    method: string,
    path: string,
    body?: unknown,
    headers: object = {},
  ): Promise<{ status: number; text: string }> {
    const { url, token } = this.#server();
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** Throws where the answer is no success. */
  async call<T>(method: string, path: string, body?: unknown, headers: object = {}): Promise<T> {
    const answer = await this.request<T>(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  async connector(name: string, type: string, config: object): Promise<string> {
    return (await this.call<{ id: string }>("POST", "/v1/connectors", { name, type, config })).id;
  }

  /** Id of a new integration. */
  async integration(body: object): Promise<string> {
    return (await this.call<{ id: string }>("POST", "/v1/integrations", body)).id;
  }

  /** Id of a new run. */
  async run(integrationId: string): Promise<string> {
    return (await this.call<Run>("POST", `/v1/integrations/${integrationId}/run`)).id;
  }

  runById(id: string): Promise<Run> {
    return this.call("GET", `/v1/runs/${id}`);
  }

  /** Waits for the run's end, at most `timeout` milliseconds: its ledger must balance, whatever was done to it. */
  async ended(id: string, timeout = 150_000): Promise<Run> {
    const run = await this.until(id, ({ status }) => status !== "running", timeout);
    expect(run.ledger?.imbalances ?? []).toEqual([]);
    return run;
  }

  /** Waits until the run is as wanted, or has ended. */
  async until(id: string, wanted: (run: Run) => boolean, timeout = 150_000): Promise<Run> {
    let run = await this.runById(id);
    await expect
      .poll(
        async () => {
          run = await this.runById(id);
          return run.status !== "running" || wanted(run) ? "reached" : JSON.stringify(run);
        },
        { timeout, interval: 25 },
      )
      .toBe("reached");
    return run;
  }

  async runAndWait(integrationId: string): Promise<Run> {
    return await this.ended(await this.run(integrationId));
  }

  /** Dead letters of an integration with all of their fields, in the order of their places in the source. */
  async deadLetters<T>(integrationId: string): Promise<T[]> {
    const { items } = await this.call<{ items: { id: string }[] }>(
      "GET",
      `/v1/integrations/${integrationId}/dead-letter?limit=100`,
    );
    return await Promise.all(items.map(({ id }) => this.call<T>("GET", `/v1/dead-letter/${id}`)));
  }
}
