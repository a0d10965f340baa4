// `node tests/store/programs/retention.ts`: the figures of docs/decisions/0041-retention-by-day.md, on an embedded
// Postgres of its own (fsync on), with 1,000,000 runs over 85 days. One JSON line a figure; milliseconds.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../../adapters/embedded/index.ts";
import { openStore } from "../../../adapters/postgres/index.ts";
import { addIntegration, addRun, uuidV7 } from "../fixtures.ts";
import { sql } from "../sql.ts";

const day = 86_400_000;
const readerMs = 3_000;
const runs = 1_000_000;
const integrations = 100;
const dataDir = mkdtempSync(join(tmpdir(), "sluice-retention-"));
chmodSync(dataDir, 0o711);
const server = await startPostgres({ dataDir, port: 0 });
const { url } = server;
const store = await openStore({ url });
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
try {
  for (let back = 85; back > 0; back -= 8) await store.maintain(new Date(Date.now() - back * day));
  const fleet = await Promise.all(Array.from({ length: integrations }, () => addIntegration(store)));
  const ids = fleet.map(({ id }) => id);
  let start = performance.now();
  for (let part = 0; part < 10; part++) {
    await sql(
      url,
      `insert into sluice.pipeline_runs (id, integration_id, integration_version, trigger, status, finished_at)
       select (left(t, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
              ($1::uuid[])[1 + n % $3], 1, 'schedule', case when n % 997 = 0 then 'failed' else 'success' end, now()
         from generate_series($4::int, $5::int) n,
              lateral (select lpad(to_hex($2::bigint - n::bigint * ${Math.floor((85 * day) / runs)}), 12, '0') as t) at`,
      [ids, Date.now(), integrations, 1 + (part * runs) / 10, ((part + 1) * runs) / 10],
    );
  }
  await sql(url, "vacuum analyze sluice.pipeline_runs");
  say({ what: "inserted", runs, ms: Math.round(performance.now() - start) });

  const id = ids[7] as string;
  const page = { limit: 50, cursor: null, status: null };
  const middle = Buffer.from(uuidV7(Date.now() - 40 * day).replaceAll("-", ""), "hex").toString("base64url");
  await measure("runs.list, first 50", () => store.runs.list(id, page));
  await measure("runs.list, 50 in the middle", () => store.runs.list(id, { ...page, cursor: middle }));
  await measure("runs.list, 10 failed ones", () => store.runs.list(id, { ...page, limit: 10, status: "failed" }));
  const [known] = (await store.runs.list(id, { ...page, cursor: middle })).items;
  await measure("runs.get", () => store.runs.get(known!.id));
  await measure("runs.lastCompleted of 100", () => store.runs.lastCompleted(ids));

  // Somebody reads all runs for three seconds; meanwhile a day goes, and runs are opened.
  const [oldest, next] = await sql<{ name: string }>(
    url,
    "select relname as name from pg_inherits join pg_class on oid = inhrelid where inhparent = 'sluice.pipeline_runs'::regclass order by 1",
  );
  await dropping("by a plain drop table", () => sql(url, `drop table sluice.${oldest!.name}`));
  const [, year, month, date] = /_(\d{4})(\d\d)(\d\d)$/.exec(next!.name) as RegExpExecArray;
  const dropped = Date.parse(`${year}-${month}-${date}`) + 91 * day;
  await store.maintain(new Date());
  await dropping("by maintain", () => store.maintain(new Date(dropped)));

  async function dropping(how: string, drop: () => Promise<unknown>): Promise<void> {
    const reader = new pg.Client(url);
    await reader.connect();
    await reader.query("begin; select count(*) from sluice.pipeline_runs where status = 'running'");
    let done = false;
    const began = performance.now();
    const dropped = drop().then(() => {
      done = true;
      return performance.now() - began;
    });
    const reading = new Promise((resolve) => setTimeout(resolve, readerMs)).then(() => reader.end());
    let longest = 0;
    let written = 0;
    while (!done) {
      start = performance.now();
      await addRun(store, fleet[written++ % integrations]!);
      longest = Math.max(longest, performance.now() - start);
    }
    await reading;
    say({
      what: `a day is dropped ${how} beside a reader of ${readerMs} ms`,
      ms: Math.round(await dropped),
      written,
      longestWriteMs: Math.round(longest),
    });
  }
} finally {
  await store.close();
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

async function measure(what: string, work: () => Promise<unknown>): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < 33; n++) {
    const start = performance.now();
    await work();
    if (n >= 3) took.push(performance.now() - start);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => Number(took[Math.floor(took.length * share)]!.toFixed(1));
  say({ what, median: at(0.5), p95: at(0.95) });
}
