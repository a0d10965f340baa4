-- The audit log by the months of its UUIDv7 ids, as runs and dead letters are by their days: what is past its retention
-- is dropped, not deleted. What is there gets its months; those to come are made by `maintain`.
CREATE TABLE "sluice"."audit_log_parted" (LIKE "sluice"."audit_log" INCLUDING DEFAULTS) PARTITION BY RANGE ("id");
--> statement-breakpoint
DO $$
DECLARE
  month timestamp;
  bounds text[];
BEGIN
  FOR month IN
    SELECT DISTINCT date_trunc('month', to_timestamp((('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000)) AT TIME ZONE 'UTC')
      FROM sluice.audit_log
  LOOP
    bounds := ARRAY(
      SELECT left(hex, 8) || '-' || right(hex, 4) || '-0000-0000-000000000000'
        FROM (VALUES (month), (month + interval '1 month')) AS of (first),
             LATERAL (SELECT lpad(to_hex((extract(epoch FROM first) * 1000)::bigint), 12, '0') AS hex) AS text
       ORDER BY first);
    EXECUTE format(
      'CREATE TABLE sluice.%I PARTITION OF sluice.audit_log_parted FOR VALUES FROM (%L) TO (%L)',
      'audit_log_' || to_char(month, 'YYYYMMDD'), bounds[1], bounds[2]);
  END LOOP;
END
$$;
--> statement-breakpoint
INSERT INTO "sluice"."audit_log_parted" SELECT * FROM "sluice"."audit_log";
--> statement-breakpoint
DROP TABLE "sluice"."audit_log";
--> statement-breakpoint
ALTER TABLE "sluice"."audit_log_parted" RENAME TO "audit_log";
--> statement-breakpoint
ALTER TABLE "sluice"."audit_log" ADD CONSTRAINT "audit_log_pkey" PRIMARY KEY ("id");
--> statement-breakpoint
CREATE INDEX "audit_log_resource" ON "sluice"."audit_log" USING btree ("resource_id","id");
