import { closeSync, createReadStream, existsSync, openSync, renameSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import pg from "pg";
import { onTestFinished } from "vitest";

/** Every tenth record is filtered out by `copyRules`. */
export const kept = (count: number): number => count - Math.ceil(count / 10);

/** Writes an NDJSON file of `count` records of about 230 bytes with ids from 0. */
export function writeRecords(path: string, count: number): void {
  if (existsSync(path)) return;
  const file = openSync(`${path}.new`, "w");
  for (let from = 0; from < count; from += 5_000) {
    let text = "";
    for (let id = from; id < Math.min(count, from + 5_000); id++) text += `${JSON.stringify(record(id))}\n`;
    writeSync(file, text);
  }
  closeSync(file);
  renameSync(`${path}.new`, path);
}

function record(id: number): object {
  return {
    id,
    name: `user ${id}`,
    email: `user${id}@example.com`,
    status: id % 10 === 0 ? "inactive" : "active",
    amount: id * 1.25,
    created_at: "2026-01-02T03:04:05Z",
    address: { city: "Berlin", zip: "10115", street: "Some Street 12" },
    tags: ["first", "second"],
  };
}

/** Filter and map, as of an integration's body. */
export const copyRules = {
  mapping_spec: [
    { source: "$.id", destination: "id", cast: "integer" },
    { source: "$.name", destination: "name" },
    { source: "$.amount", destination: "amount" },
    { template: "{{ $.name }} <{{ $.email }}>", destination: "label" },
  ],
  pipeline_spec: {
    steps: [
      { id: "active", type: "filter", where: "$.status == 'active'" },
      { id: "map", type: "map" },
    ],
  },
};

/** What of `count` written records is at a destination, counted there. */
export interface Landed {
  readonly total: number;
  /** Ids that should be there and are not. */
  readonly missing: number;
  /** Records beyond the first of an id. */
  readonly duplicates: number;
  /** Ids that should not be there, and lines that are no record. */
  readonly strange: number;
}

export async function landedInFile(path: string, count: number): Promise<Landed> {
  const ids: (number | undefined)[] = [];
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    ids.push(idOf(line));
  }
  return landed(ids, count);
}

function idOf(line: string): number | undefined {
  try {
    const { id } = JSON.parse(line) as { id?: unknown };
    return typeof id === "number" ? id : undefined;
  } catch {
    return undefined;
  }
}

export async function landedInTable(url: string, table: string, count: number): Promise<Landed> {
  const { rows } = await query(url, `SELECT id::int AS id FROM "${table}"`);
  return landed(
    rows.map(({ id }) => id as number),
    count,
  );
}

/** Of a server that counts how often it took each id. */
export function landedAt(taken: ReadonlyMap<number, number>, count: number): Landed {
  return landed(Array.from(taken, ([id, times]) => new Array<number>(times).fill(id)).flat(), count);
}

function landed(ids: readonly (number | undefined)[], count: number): Landed {
  const seen = new Uint8Array(count);
  let duplicates = 0;
  let strange = 0;
  for (const id of ids) {
    if (id === undefined || id < 0 || id >= count || id % 10 === 0) strange++;
    else if (seen[id] === 1) duplicates++;
    else seen[id] = 1;
  }
  const found = seen.reduce((sum, one) => sum + one, 0);
  return { total: ids.length, missing: kept(count) - found, duplicates, strange };
}

export async function query(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

/** A random number from 0 to 1, the same for the same seed. The seed is printed, so that a failure can be had again. */
export function seededRandom(seed = Number(process.env.SLUICE_TEST_SEED)): () => number {
  onTestFinished(({ task }) => {
    if (task.result?.state === "fail") process.stderr.write(`SLUICE_TEST_SEED=${seed}\n`);
  });
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}
