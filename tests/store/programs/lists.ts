// `node tests/store/programs/lists.ts`: what the lists of the API take with 1,000,000 runs and 100,000 dead letters of one
// integration among 1,000, by each sort and filter that is offered, on an embedded Postgres of its own. One JSON line a
// list: the median and maximum of its milliseconds.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../../adapters/embedded/index.ts";
import { openStore } from "../../../adapters/postgres/index.ts";
import { addIntegration } from "../fixtures.ts";
import { sql } from "../sql.ts";

const day = 86_400_000;
const dataDir = mkdtempSync(join(tmpdir(), "sluice-lists-"));
chmodSync(dataDir, 0o711);
const server = await startPostgres({ dataDir, port: 0 });
const store = await openStore({ url: server.url });
try {
  for (let back = 90; back > 0; back -= 7) await store.maintain(new Date(Date.now() - back * day));
  const { id } = await addIntegration(store);
  for (let n = 0; n < 999; n += 37) {
    await Promise.all(Array.from({ length: Math.min(37, 999 - n) }, () => addIntegration(store)));
  }
  const idOf = (everyMs: number) =>
    `(left(t, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
     lateral (select lpad(to_hex($2::bigint - n * ${everyMs}::bigint), 12, '0') as t) at`.split(",\n");
  const [runId, runAt] = idOf(7_700) as [string, string];
  await sql(
    server.url,
    `insert into sluice.pipeline_runs (id, integration_id, integration_version, trigger, status, started_at)
     select ${runId}, $1, 1, 'schedule', case when n % 1000 = 0 then 'failed' else 'success' end,
            to_timestamp(($2::bigint - n * 7700::bigint) / 1000.0)
       from generate_series(1, 1000000) n, ${runAt}`,
    [id, Date.now()],
  );
  const [letterId, letterAt] = idOf(77_000) as [string, string];
  await sql(
    server.url,
    `insert into sluice.dead_letter_records (id, run_id, integration_id, integration_version, record_id, step, destination, code,
       message, raw, position_base, position_ordinal, attempts, first_failed_at, last_attempted_at, fingerprint, resolved)
     select ${letterId}, '01900000-0000-7000-8000-0000000000' || lpad(to_hex(n % 200), 2, '0'), $1, 1, 'r' || n, 'map', null,
            case when n % 10 = 0 then 'BUSINESS_RULE' else 'VALIDATION_ERROR' end, 'm', '{}'::bytea, 'a', n, '[]',
            to_timestamp(($2::bigint - n * 77000::bigint) / 1000.0), to_timestamp(($2::bigint - (n % 777) * 7700000::bigint) / 1000.0),
            'f' || n % 500, n % 5 = 0
       from generate_series(1, 100000) n, ${letterAt}`.replace(
      "'01900000-0000-7000-8000-0000000000' || lpad(to_hex(n % 200), 2, '0')",
      "('01900000-0000-7000-8000-0000000000' || lpad(to_hex(n % 200), 2, '0'))::uuid",
    ),
    [id, Date.now()],
  );
  await sql(server.url, "analyze");

  const first = { limit: 50, cursor: null };
  const runs = { ...first, status: null };
  const ago = (days: number) => new Date(Date.now() - days * day);
  const list = store.runs.list;
  await measure("runs", () => list(id, runs));
  await measure("runs, oldest first", () => list(id, { ...runs, sort: "started_at" }));
  await measure("runs, failed", () => list(id, { ...runs, status: "failed" }));
  await measure("runs, cancelled (none)", () => list(id, { ...runs, status: "cancelled" }));
  await measure("runs, trigger schedule", () => list(id, { ...runs, trigger: "schedule" }));
  await measure("runs, trigger manual (none)", () => list(id, { ...runs, trigger: "manual" }));
  await measure("runs, until 30 days ago", () => list(id, { ...runs, until: ago(30) }));
  await measure("runs, failed since 10 days", () => list(id, { ...runs, status: "failed", since: ago(10) }));
  await measure("runs, of an hour 40 days ago", () =>
    list(id, { ...runs, since: ago(40), until: new Date(ago(40).getTime() + 3_600_000) }),
  );
  const letters = { ...first, resolved: false };
  const { deadLetters } = store;
  for (const resolved of [null, false, true]) {
    await measure(`dead letters, resolved ${resolved}`, () => deadLetters.list(id, { ...letters, resolved }));
    await measure(`dead letters by last attempt, resolved ${resolved}`, () =>
      deadLetters.list(id, { ...letters, resolved, sort: "-last_attempted_at" }),
    );
  }
  for (const [what, filter] of Object.entries({
    code: { code: "BUSINESS_RULE" },
    "code (none)": { code: "TIMEOUT" },
    step: { step: "map" },
    "step (none)": { step: "other" },
    "destination (none)": { destination: "crm" },
    run: { runId: "01900000-0000-7000-8000-000000000007" },
    fingerprint: { fingerprint: "f7" },
    record: { recordId: "r777" },
    "since a day": { since: ago(1) },
    "until 89 days": { until: ago(89) },
  } as const)) {
    await measure(`dead letters, ${what}`, () => deadLetters.list(id, { ...letters, filter }));
  }
  await measure("groups", () => deadLetters.groups(id, first));
  await measure("groups of a code", () => deadLetters.groups(id, { ...first, filter: { code: "BUSINESS_RULE" } }));
  await measure("errors of a run", () => deadLetters.errorsOf("01900000-0000-7000-8000-000000000007", first));
  await measure("depths", () => deadLetters.depths());
  const overview = {
    ...first,
    sort: "attention",
    health: null,
    enabled: null,
    search: null,
    deadLetters: null,
  } as const;
  await measure("overview of 1,000", () => store.integrations.overview(overview));
  await measure("integrations by name", () => store.integrations.list({ ...first, sort: "name" }));
  await measure("integrations by last change", () => store.integrations.list({ ...first, sort: "-updated_at" }));
} finally {
  await store.close();
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

async function measure(what: string, work: () => Promise<unknown>): Promise<void> {
  await work();
  const took: number[] = [];
  for (let n = 0; n < 7; n++) {
    const start = performance.now();
    await work();
    took.push(performance.now() - start);
  }
  took.sort((a, b) => a - b);
  const [median, max] = [took[3]!, took.at(-1)!].map((ms) => Number(ms.toFixed(1)));
  process.stdout.write(`${JSON.stringify({ what, median, max })}\n`);
}
