import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import type { Run } from "../../support/api.ts";
import type { CountingServer } from "../../support/counting-server.ts";
import type { TestNode } from "../../support/node.ts";
import { kept, type Landed, landedAt, landedInFile, landedInTable, query } from "../../support/records.ts";
import { uniqueName } from "../../support/servers.ts";
import { wholeRun } from "../chaos.ts";
import { kinds, type LoadKind } from "./load-kind.ts";
import type { Account } from "./scenario.ts";
import type { Stage } from "./stage.ts";

type Target = "table" | "file" | "http";
/** Records of a request, and requests of a connector at once. */
export const requests = { records: 20, atOnce: 4 };
/** What a crash repeats (docs/guarantees.md): messages that were in hand, of so many bytes at most, … */
const inHand = { messages: 16, bytes: 100_000 };
/** … and what was settled since the last commit: a tenth of a second, and the time that a commit takes on a slow machine. */
const commitSeconds = { short: 1, long: 0.5 };
/** Bytes of a record. What is appended is cut into more messages, so that 16 of them are a small part of it. */
const recordBytes = (kind: LoadKind) => (kind === "append" ? 1_000 : 200);

export interface LoadOptions {
  /** Postgres of the table, as the node reaches it. */
  readonly database: string;
  /** The same as the test reaches it, past every proxy. */
  readonly counted?: string;
  /** How long reading takes at least, in seconds: faults are struck in this time. */
  readonly seconds?: number;
  /** Table and file unless said otherwise. One is written right away, two from a log of their own each. */
  readonly to?: readonly Target[];
  /** Of `http`. */
  readonly server?: CountingServer;
  /** The stage's unless said otherwise. */
  readonly kind?: LoadKind;
  readonly delivery?: object;
  /** Types of connectors that are taken instead: plugins. */
  readonly types?: { readonly generator: string; readonly postgres: string };
  /** Rows say when they were written, and by which connection: for `firstOfAnother`. */
  readonly timed?: boolean;
  /**
   * A former owner may wake up: nothing of a file of lines, which takes the write that was under way then, and is promised
   * no more.
   */
  readonly fenced?: boolean;
}

/**
 * When to strike for the `n`th of so many times (from 0), as a share of the records: what is left after the last is for
 * a machine that is slow to look.
 */
export function shareOf(n: number, times: number, random: () => number): number {
  return ((n + random()) / times) * 0.6;
}

/** For a run that was disturbed, on a machine that has other things to do. */
const patience = { timeout: 180_000, interval: 50 };

/** A run of numbered records at a steady rate into a table and a file, which are counted. Every tenth is filtered out. */
export class Load {
  readonly id: string;
  readonly runId: string;
  /** Records of a message at most. */
  readonly #message: number;
  /** Records that are settled between two commits. */
  readonly #uncommitted: number;
  readonly #node: TestNode;
  readonly #records: number;
  readonly #kind: LoadKind;
  readonly #table: { readonly url: string; readonly name: string };
  readonly #file: string;
  readonly #server: CountingServer | undefined;
  readonly #to: readonly Target[];

  private constructor(
    node: TestNode,
    ids: { readonly id: string; readonly runId: string },
    load: { readonly records: number; readonly kind: LoadKind; readonly message: number; readonly uncommitted: number },
    table: { readonly url: string; readonly name: string },
    file: string,
    server: CountingServer | undefined,
    to: readonly Target[],
  ) {
    this.#node = node;
    this.id = ids.id;
    this.runId = ids.runId;
    this.#message = load.message;
    this.#uncommitted = load.uncommitted;
    this.#records = load.records;
    this.#kind = load.kind;
    this.#table = table;
    this.#file = file;
    this.#server = server;
    this.#to = to;
  }

  static async begin(stage: Stage, node: TestNode, options: LoadOptions): Promise<Load> {
    const { database, counted = database, kind = stage.kind } = options;
    const { seconds = stage.scale === "long" ? 15 : kind === "append" ? 5 : 3 } = options;
    const { to = ["table", "file"], types = { generator: "generator", postgres: "postgres" } } = options;
    const { records } = stage;
    const { api } = node;
    stage.kinds.add(kind);
    const { table, file, delivery } = kinds[kind];
    const mode = options.fenced && kind === "strict" ? "replace" : file;
    const name = uniqueName("load").replace("_", "-");
    const template = {
      id: "{{ index }}",
      name: "user {{ index }}",
      account: "{{ int 0 49 }}",
      amount: "{{ float 0 1000 }}",
    };
    const rate = Math.ceil(records / seconds);
    const size = recordBytes(kind);
    await api.connector(`${name}-in`, types.generator, { count: records, rate, template, size });
    await api.connector(`${name}-files`, "file", { path: node.files });
    if (to.includes("table"))
      await api.connector(`${name}-table`, types.postgres, { url: database, create_table: true });
    if (options.timed) await query(counted, timedTable(name, table === "upsert"));
    if (options.server) await api.connector(`${name}-http`, "http", httpConfig(options.server.url, name));
    const key = table === "upsert" ? { key: ["id"] } : {};
    const id = await api.integration({
      name,
      source: { connector: `${name}-in`, stream: "numbers" },
      destinations: [
        { id: "table", connector: `${name}-table`, stream: name, mode: table, ...key },
        { id: "file", connector: `${name}-files`, stream: `${name}.ndjson`, mode },
        { id: "http", connector: `${name}-http`, stream: name, mode: "append" },
      ].filter(({ id }) => to.includes(id as Target)),
      pipeline_spec: {
        steps: [
          { id: "wanted", type: "filter", where: "match($.name, '.*[1-9]')" },
          { id: "map", type: "map" },
        ],
      },
      mapping_spec: [
        { source: "$.id", destination: "id", cast: "integer" },
        { source: "$.name", destination: "name" },
        { source: "$.account", destination: "account" },
        { source: "$.amount", destination: "amount" },
      ],
      delivery: { circuit_breaker: { open_for: "1s" }, ...delivery, ...options.delivery },
    });
    const runId = await api.run(id);
    const path = join(node.files, `${name}.ndjson`);
    const message = Math.floor(inHand.bytes / size);
    const uncommitted = Math.ceil(rate * commitSeconds[stage.scale]);
    return new Load(
      node,
      { id, runId },
      { records, kind, message, uncommitted },
      { url: counted, name },
      path,
      options.server,
      to,
    );
  }

  /** Resolves when this share of the records (0 to 1) was read. Rejects where the run ended before. */
  async reach(share: number, node: TestNode = this.#node): Promise<void> {
    if (await this.reaches(share, node)) return;
    throw new Error(`the run ended before the next fault: ${JSON.stringify(await this.look(node))}`);
  }

  /** The same, and false where the run ended before. */
  async reaches(share: number, node: TestNode = this.#node): Promise<boolean> {
    const from = Math.floor(share * this.#records);
    return (await this.until(({ records_in }) => records_in >= from, node)).status === "running";
  }

  async look(node: TestNode = this.#node): Promise<Run> {
    return await node.api.runById(this.runId);
  }

  /** Waits until the run is as wanted, or has ended; a node that cannot answer meanwhile is asked again. */
  async until(wanted: (run: Run) => boolean, node: TestNode = this.#node): Promise<Run> {
    let run: Run | undefined;
    const reached = async () => {
      run = await this.look(node);
      return run.status !== "running" || wanted(run) ? "reached" : JSON.stringify(run);
    };
    // All of it: what vitest prints is cut.
    const said = () =>
      new Error(`the run goes on without an end: ${JSON.stringify(run)}; its node says ${node.stderr.slice(-5_000)}`);
    await expect
      .poll(reached, patience)
      .toBe("reached")
      .catch((error: unknown) => {
        throw run === undefined ? error : said();
      });
    return run as Run;
  }

  /** Resolves when something of it has reached its table. */
  async landing(node: TestNode = this.#node): Promise<void> {
    await this.until(({ by_destination }) => (by_destination.table?.out ?? 0) > 0, node);
  }

  /** Of a load that is `timed`: seconds from `since` to the first row by a connection that wrote none before. */
  async firstOfAnother(since: Date): Promise<number> {
    const { url, name } = this.#table;
    const after = `timestamptz '${since.toISOString()}'`;
    const before = `SELECT DISTINCT by FROM "${name}" WHERE at <= ${after}`;
    const first = `SELECT EXTRACT(epoch FROM min(at) - ${after})::float8 AS seconds FROM "${name}" WHERE at > ${after} AND by NOT IN (${before})`;
    let seconds: number | null = null;
    const looked = async () => {
      seconds = (await query(url, first)).rows[0].seconds;
      return seconds;
    };
    await expect.poll(looked, { ...patience, message: "another node delivers" }).not.toBeNull();
    return seconds as unknown as number;
  }

  /**
   * Waits for the run's end, whose counts must be exact, and counts what is there; `node` is whichever is asked. What is
   * appended may be there twice as far as was in hand when a node or a connection ended.
   */
  async account(faults: number, options: AccountOptions = {}): Promise<Account> {
    const { ended = faults, cut = 0, broken = 0, targets = this.#to, node = this.#node } = options;
    const run = await this.until(() => false, node);
    expect(run, JSON.stringify(run)).toMatchObject(wholeRun(this.#records, this.#to));
    const landed = await Promise.all(
      this.#to.map((target) => {
        if (target === "http") return landedAt((this.#server as CountingServer).taken, this.#records);
        return target === "table"
          ? landedInTable(this.#table.url, this.#table.name, this.#records)
          : landedInFile(this.#file, this.#records);
      }),
    );
    const sum = (field: keyof Landed) => landed.reduce((total, each) => total + each[field], 0);
    expect(sum("strange"), "lines and rows that are no record of the source").toBe(0);
    expect(sum("total")).toBe(landed.length * kept(this.#records) - sum("missing") + sum("duplicates"));
    if ((this.#kind === "key" || this.#kind === "strict") && this.#to.includes("file")) {
      const { count, first } = await overtaken(this.#file, this.#kind);
      expect(count, `behind a newer one, first at ${first}; ${JSON.stringify(landed)}`).toBe(0);
    }
    if (this.#kind === "key" && this.#server) expect(this.#server.overtaken, "taken behind a newer one").toBe(0);
    const repeated =
      (ended + cut) * inHand.messages * this.#message +
      ended * this.#uncommitted +
      broken * requests.atOnce * requests.records;
    return {
      records: this.#records,
      faults,
      lost: sum("missing"),
      duplicated: sum("duplicates"),
      allowed: this.#kind === "append" ? targets.length * repeated : 0,
    };
  }
}

export interface AccountOptions {
  /** Faults that ended a node, or its ownership: what was in hand and what was not committed comes again. All of them. */
  readonly ended?: number;
  /** Faults that ended a connection or another process: what was in hand may come again. None. */
  readonly cut?: number;
  /** Faults of an HTTP server that left requests without an answer: what was in those may come again. None. */
  readonly broken?: number;
  /** Where it comes again; at all of the load's destinations. */
  readonly targets?: readonly Target[];
  readonly node?: TestNode;
}

function httpConfig(url: string, stream: string) {
  const { records, atOnce } = requests;
  return { base_url: url, concurrency: atOnce, streams: { [stream]: { append: { batch: { records } } } } };
}

/** Of its own making, since what comes along is for rows that are new. */
function timedTable(name: string, byKey: boolean): string {
  const stamps = "at timestamptz NOT NULL DEFAULT clock_timestamp(), by int NOT NULL DEFAULT pg_backend_pid()";
  return `CREATE TABLE "${name}" (id numeric${byKey ? " PRIMARY KEY" : ""}, name text, account numeric, amount numeric, ${stamps})`;
}

/** Lines of a file that stand behind a newer one, of their account or of all. */
async function overtaken(path: string, order: "key" | "strict"): Promise<{ count: number; first: string }> {
  const newest = new Map<number, number>();
  let [count, lines, first] = [0, 0, "none"];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { id, account } = JSON.parse(line) as { id: number; account: number };
    lines++;
    const key = order === "key" ? account : 0;
    const before = newest.get(key) ?? -1;
    if (id > before) newest.set(key, id);
    else if (++count === 1) first = `line ${lines}: ${id} behind ${before}`;
  }
  return { count, first };
}
