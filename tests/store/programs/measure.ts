// `node tests/store/programs/measure.ts`: the figures of docs/decisions/0003-store.md, on an embedded Postgres of its own
// (fsync on). One JSON line a figure: the median, 95th percentile and maximum of its milliseconds.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../../adapters/embedded/index.ts";
import { openStore } from "../../../adapters/postgres/index.ts";
import type { Settlement } from "../../../runtime/ports/store.ts";
import { addIntegration, addRun, deadLetter, uuidV7 } from "../fixtures.ts";
import { sql } from "../sql.ts";

const day = 86_400_000;
const dataDir = mkdtempSync(join(tmpdir(), "sluice-measure-"));
chmodSync(dataDir, 0o711);
const server = await startPostgres({ dataDir, port: 0 });
const store = await openStore({ url: server.url });
try {
  // As after 90 days: a partition for each day, with the runs of the last ones.
  for (let back = 90; back > 0; back -= 7) await store.maintain(new Date(Date.now() - back * day));
  const fleet = await Promise.all(Array.from({ length: 200 }, () => addIntegration(store)));
  const runs = await Promise.all(fleet.map((integration) => addRun(store, integration)));

  const flush = (integrations: number, letters: number): Settlement[] =>
    runs.slice(0, integrations).map((run, n) => ({
      integrationId: run.integrationId,
      epoch: 1,
      run: {
        id: run.id,
        counts: { ...run.counts, in: n, byDestination: { main: { out: n, failed: 0 } } },
        waiting: null,
      },
      checkpoints: ["steps", "main"].map((consumer) => ({
        consumer,
        settled: [1, 2, 3],
        state: null,
        progress: { runId: run.id, records: n },
      })),
      groups: [],
      deadLetters: Array.from({ length: letters / integrations }, () =>
        deadLetter(run, { raw: Buffer.from(JSON.stringify({ email: "a@b.example", pad: "x".repeat(200) })) }),
      ),
    }));
  for (const [integrations, letters, times] of [
    [1, 0, 200],
    [50, 0, 200],
    [200, 0, 100],
    [50, 1_000, 20],
    [1, 1_000, 20],
  ] as const) {
    await measure(
      `commit, ${integrations} integrations, ${letters} dead letters`,
      times,
      () => flush(integrations, letters),
      (given) => store.checkpoints.commit(given),
    );
  }

  const { id } = fleet[0]!;
  await sql(
    server.url,
    `insert into sluice.pipeline_runs (id, integration_id, integration_version, trigger, status)
     select (left(t, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 1, 'schedule',
            case when n % 1000 = 0 then 'failed' else 'success' end
       from generate_series(1, 200000) n, lateral (select lpad(to_hex($2::bigint - n * 30000::bigint), 12, '0') as t) at`,
    [id, Date.now()],
  );
  await sql(server.url, "analyze sluice.pipeline_runs");
  const page = { limit: 50, cursor: null, status: null };
  await measure(
    "runs.list of 200,000 in 70 days, first 50",
    50,
    () => page,
    (given) => store.runs.list(id, given),
  );
  const middle = Buffer.from(uuidV7(Date.now() - 35 * day).replaceAll("-", ""), "hex").toString("base64url");
  await measure(
    "the same, 50 in the middle",
    50,
    () => ({ ...page, cursor: middle }),
    (given) => store.runs.list(id, given),
  );
  await measure(
    "the same, the 50 failed ones of 200",
    50,
    () => ({ ...page, status: "failed" as const }),
    (given) => store.runs.list(id, given),
  );
  await measure(
    "runs.get",
    50,
    () => runs[7]!.id,
    (given) => store.runs.get(given),
  );
  await measure(
    "runs.running of all",
    50,
    () => undefined,
    () => store.runs.running(),
  );
  await measure(
    "deadLetters.depths",
    50,
    () => undefined,
    () => store.deadLetters.depths(),
  );
} finally {
  await store.close();
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

async function measure<T>(
  what: string,
  times: number,
  make: () => T,
  work: (given: T) => Promise<unknown>,
): Promise<void> {
  for (let n = 0; n < 3; n++) await work(make());
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const given = make();
    const start = performance.now();
    await work(given);
    took.push(performance.now() - start);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => Number(took[Math.min(took.length - 1, Math.floor(took.length * share))]!.toFixed(2));
  process.stdout.write(`${JSON.stringify({ what, times, median: at(0.5), p95: at(0.95), max: at(1) })}\n`);
}
