-- A partition is taken out of a table without stopping its readers and writers only where there is no default one. What
-- waits in the default ones gets its days, and they are dropped.
DO $$
DECLARE
  parted text;
  number bigint;
  name text;
  bounds text[];
BEGIN
  FOREACH parted IN ARRAY ARRAY['pipeline_runs', 'dead_letter_records', 'dead_letter_originals'] LOOP
    EXECUTE format('ALTER TABLE sluice.%I DETACH PARTITION sluice.%I', parted, parted || '_default');
    FOR number IN EXECUTE format(
      'SELECT DISTINCT (''x'' || left(replace(id::text, ''-'', ''''), 12))::bit(48)::bigint / 86400000 FROM sluice.%I', parted || '_default')
    LOOP
      name := parted || '_' || to_char(to_timestamp(number * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD');
      bounds := ARRAY(
        SELECT left(hex, 8) || '-' || right(hex, 4) || '-0000-0000-000000000000'
          FROM (VALUES (number), (number + 1)) AS of (n), LATERAL (SELECT lpad(to_hex(n * 86400000), 12, '0') AS hex) AS text);
      IF to_regclass('sluice.' || name) IS NULL THEN
        EXECUTE format('CREATE TABLE sluice.%I PARTITION OF sluice.%I FOR VALUES FROM (%L) TO (%L)', name, parted, bounds[1], bounds[2]);
      END IF;
      EXECUTE format('INSERT INTO sluice.%I SELECT * FROM sluice.%I WHERE id >= %L AND id < %L', parted, parted || '_default', bounds[1], bounds[2]);
    END LOOP;
    EXECUTE format('DROP TABLE sluice.%I', parted || '_default');
  END LOOP;
END
$$;
