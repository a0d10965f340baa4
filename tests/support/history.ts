import pg from "pg";

/**
 * As many runs as an integration has after years, all of yesterday and today: the n-th newest says that it ran version
 * n, so that who reads a list sees a gap or a repeat. One of ten failed. Of Postgres 18.
 */
export async function insertRuns(databaseUrl: string, integrationId: string, count: number): Promise<void> {
  await insert(
    databaseUrl,
    "pipeline_runs",
    `INSERT INTO sluice.pipeline_runs
       (id, integration_id, integration_version, trigger, status, started_at, finished_at, records_in, records_out,
        records_filtered, records_failed, error)
     SELECT uuidv7(-age), $1, n, 'manual', CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'success' END, now() - age,
       now() - age + interval '40 ms', 100, 90, 10, 0,
       CASE WHEN n % 10 = 0 THEN '{"code":"FORBIDDEN","message":"the destination said no"}'::jsonb END
     FROM (SELECT n, make_interval(secs => n * 80000.0 / $2) AS age FROM generate_series(1, $2::int) AS n) AS runs`,
    [integrationId, count],
  );
}

/** As many dead letters of one run and of three causes; the n-th newest is of the n-th record. */
export async function insertDeadLetters(databaseUrl: string, integrationId: string, count: number): Promise<void> {
  await insert(
    databaseUrl,
    "dead_letter_records",
    `INSERT INTO sluice.dead_letter_records
       (id, run_id, integration_id, integration_version, record_id, step, rule, code, message, raw, payload,
        position_base, position_ordinal, attempts, first_failed_at, last_attempted_at, fingerprint)
     SELECT uuidv7(-age), '01936f5e-7c1e-7b3a-9d55-0242ac120002', $1, 1, 'r-' || n, 'map', n % 3, 'VALIDATION_ERROR',
       'age: "' || n || ' years" is no whole number', convert_to(record, 'UTF8'), record::jsonb, 'orders.ndjson',
       n, '[]', now() - age, now() - age, 'rule-' || n % 3
     FROM (SELECT n, make_interval(secs => n * 80000.0 / $2) AS age, '{"id":' || n || ',"age":"' || n || ' years"}' AS record
           FROM generate_series(1, $2::int) AS n) AS letters`,
    [integrationId, count],
  );
}

async function insert(
  connectionString: string,
  table: string,
  text: string,
  values: readonly unknown[],
): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(text, [...values]);
    // As Postgres does by itself within a minute of so many rows.
    await client.query(`ANALYZE sluice.${table}`);
  } finally {
    await client.end();
  }
}
