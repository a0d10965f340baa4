import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect } from "vitest";
import type { Run } from "../support/api.ts";
import { TestNode } from "../support/node.ts";
import { createDatabase } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";

export interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API answers; tests say what they expect of it.
  readonly body: any;
  readonly headers: Headers;
}

/** A node that the tests of a file share, as a user's program sees it. */
export class SharedNode {
  #node: TestNode | undefined;
  #made = 0;

  get node(): TestNode {
    return this.#node as TestNode;
  }

  async start(env: NodeJS.ProcessEnv, atEnd: (end: () => unknown) => void): Promise<void> {
    const folder = tempDir(atEnd);
    const databaseUrl = await createDatabase(atEnd);
    this.#node = await TestNode.start({ folder, env: { SLUICE_DATABASE_URL: databaseUrl, ...env }, atEnd });
  }

  /** `headers`: null takes one away. `body`: text and bytes are sent as they are. */
  async call(
    method: string,
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string | null>> = {},
  ): Promise<Reply> {
    const given = {
      authorization: `Bearer ${this.node.token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    };
    const sent = Object.entries(given).filter((header): header is [string, string] => header[1] !== null);
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(this.node.url + url, {
      method,
      headers: Object.fromEntries(sent),
      ...(body !== undefined && { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      body: isJson && text !== "" ? JSON.parse(text) : text,
      headers: response.headers,
    };
  }

  name(): string {
    return `n${++this.#made}`;
  }

  /** Name of a new connector. */
  async connector(type: string, config: object = {}): Promise<string> {
    const name = this.name();
    const { status, body } = await this.call("POST", "/v1/connectors", { name, type, config });
    expect([status, body]).toEqual([201, expect.anything()]);
    return name;
  }

  /** Id of a new integration. */
  async integration(body: object): Promise<string> {
    const answer = await this.call("POST", "/v1/integrations", { name: this.name(), ...body });
    expect([answer.status, answer.body]).toEqual([201, expect.anything()]);
    return answer.body.id;
  }

  /** A run from its start to its end. */
  async run(id: string): Promise<Run> {
    return await this.until(await this.node.api.run(id), () => false);
  }

  /** Waits until the run is as wanted or has ended; without `expect.poll`, which concurrent tests cannot use. */
  async until(id: string, wanted: (run: Run) => boolean): Promise<Run> {
    for (let tries = 0; tries < 3_000; tries++) {
      const run = await this.node.api.runById(id);
      if (run.status !== "running" || wanted(run)) return run;
      await delay(30);
    }
    throw new Error(`run ${id} does not end`);
  }

  /** Path in the folder that file connectors may touch, which is made. */
  folder(name: string): string {
    const folder = path.join(this.node.files, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  write(folder: string, name: string, content: string | Uint8Array): void {
    writeFileSync(path.join(this.folder(folder), name), content);
  }
}

/** Started before the file's tests, ended after them. */
export function shareNode(env: NodeJS.ProcessEnv = {}): SharedNode {
  const shared = new SharedNode();
  const ends: (() => unknown)[] = [];
  beforeAll(() => shared.start(env, (end) => ends.push(end)));
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  return shared;
}
