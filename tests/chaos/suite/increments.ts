import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Run } from "../../support/api.ts";
import type { TestNode } from "../../support/node.ts";
import { query } from "../../support/records.ts";
import { uniqueName } from "../../support/servers.ts";
import { samples } from "../../telemetry/support.ts";
import type { Account } from "./scenario.ts";

export interface IncrementsOptions {
  /** Of the tables, out of reach of what is broken. */
  readonly database: string;
  /** One is written right away, several from a log of their own. */
  readonly tables: 1 | 2;
  /** Records per second. */
  readonly rate: number;
}

interface Integration {
  readonly health: string;
  readonly health_reason: string | null;
}

const patience = { timeout: 240_000, interval: 50 };
/** Every thousandth record is refused by a step. */
const refused = 1_000;

/** Numbered records, more of them for each run, that an incremental source gives to tables by upsert. */
export class Increments {
  readonly id: string;
  readonly name: string;
  readonly tables: readonly string[];
  /** Of the tables. */
  readonly database: string;
  readonly #node: TestNode;
  readonly #source: string;
  readonly #options: IncrementsOptions;
  #count = 0;

  private constructor(node: TestNode, options: IncrementsOptions, name: string, ids: { id: string; source: string }) {
    this.#node = node;
    this.#options = options;
    this.name = name;
    this.id = ids.id;
    this.#source = ids.source;
    this.tables = tablesOf(name, options.tables);
    this.database = options.database;
  }

  static async make(node: TestNode, options: IncrementsOptions): Promise<Increments> {
    const { api } = node;
    const name = uniqueName("grow").replace("_", "-");
    const source = await api.connector(`${name}-in`, "generator", generator(options, 0));
    await api.connector(`${name}-tables`, "postgres", { url: options.database, create_table: true });
    const id = await api.integration({
      name,
      source: { connector: `${name}-in`, stream: "numbers", mode: "incremental" },
      destinations: tablesOf(name, options.tables).map((stream) => {
        return { id: stream, connector: `${name}-tables`, stream, mode: "upsert", key: ["id"] };
      }),
      pipeline_spec: {
        steps: [
          {
            id: "checked",
            type: "validate",
            schema: { properties: { id: { anyOf: [{ const: 0 }, { not: { multipleOf: refused } }] } } },
          },
          { id: "map", type: "map" },
        ],
      },
      mapping_spec: [
        { source: "$.id", destination: "id", cast: "integer" },
        { source: "$.name", destination: "name" },
      ],
      delivery: { circuit_breaker: { open_for: "1s" } },
    });
    return new Increments(node, options, name, { id, source });
  }

  /** There are so many records from now on. */
  async grow(count: number): Promise<void> {
    this.#count = count;
    await this.#node.api.call("PUT", `/v1/connectors/${this.#source}`, {
      name: `${this.name}-in`,
      type: "generator",
      config: generator(this.#options, count),
    });
  }

  begin(): Promise<string> {
    return this.#node.api.run(this.id);
  }

  async runAndWait(): Promise<Run> {
    return await this.ended(await this.begin());
  }

  async reached(runId: string, records: number): Promise<Run> {
    return await this.until(runId, ({ records_in }) => records_in >= records);
  }

  async ended(runId: string): Promise<Run> {
    return await this.until(runId, ({ status }) => status !== "running");
  }

  /** Asked again while the node cannot answer. */
  async until(runId: string, wanted: (run: Run) => boolean): Promise<Run> {
    let run: Run | undefined;
    await expect
      .poll(async () => {
        run = await this.#node.api.runById(runId);
        return wanted(run);
      }, patience)
      .toBe(true);
    return run as Run;
  }

  integration(): Promise<Integration> {
    return this.#node.api.call("GET", `/v1/integrations/${this.id}`);
  }

  /** What was lost of it has been seen. */
  async seen(): Promise<void> {
    await this.#node.api.call("PUT", `/v1/integrations/${this.id}/losses/seen`);
  }

  /** What is missing from the tables, or twice in them; each refused record must be a dead letter. */
  async count(): Promise<Pick<Account, "records" | "lost" | "duplicated">> {
    let lost = 0;
    let duplicated = 0;
    const wrong = Math.ceil(this.#count / refused) - 1;
    for (const table of this.tables) {
      const { rows } = await query(
        this.database,
        `SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM "${table}" WHERE id >= 0 AND id < ${this.#count}`,
      );
      lost += this.#count - wrong - rows[0].ids;
      duplicated += rows[0].rows - rows[0].ids;
    }
    lost += wrong - (await this.#deadLetters());
    return { records: this.#count, lost, duplicated };
  }

  /** Distinct records among the dead letters. */
  async #deadLetters(): Promise<number> {
    const ids = new Set<string>();
    for (let cursor: string | null = ""; cursor !== null; ) {
      type Page = { items: { record_id: string }[]; next_cursor: string | null };
      const page: Page = await this.#node.api.call<Page>(
        "GET",
        `/v1/integrations/${this.id}/dead-letter?limit=100${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      for (const { record_id } of page.items) ids.add(record_id);
      cursor = page.next_cursor;
    }
    return ids.size;
  }
}

/** Resolves when the node has told of a loss: in its log at level error, and in its metrics. */
export async function told(node: TestNode, kind: string, integration: string): Promise<void> {
  const ways = async () => {
    const lines = readFileSync(join(node.dataDir, "sluice.log"), "utf8").split("\n").filter(Boolean);
    const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "error");
    const { text } = await node.api.text("/metrics");
    return {
      log: errors.some((line) => line.kind === kind && line.integration === integration),
      metric: samples(text, "sluice_losses_found_total").some(
        ({ labels, value }) => labels.integration === integration && labels.kind === kind && value > 0,
      ),
    };
  };
  await expect.poll(ways, patience).toEqual({ log: true, metric: true });
}

function tablesOf(name: string, count: number): string[] {
  return ["a", "b"].slice(0, count).map((each) => `${name}-${each}`);
}

function generator({ rate }: IncrementsOptions, count: number): object {
  return { count, rate, template: { id: "{{ index }}", name: "user {{ index }}" } };
}
