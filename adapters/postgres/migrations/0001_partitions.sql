-- drizzle has no words for partitions, so the two tables of history are made anew, by range of their UUIDv7 ids.
-- The partition of a day is made by `maintain`; what falls outside of all waits in the default one.
CREATE TABLE "sluice"."pipeline_runs_parted" (LIKE "sluice"."pipeline_runs" INCLUDING DEFAULTS) PARTITION BY RANGE ("id");
--> statement-breakpoint
DROP TABLE "sluice"."pipeline_runs";
--> statement-breakpoint
ALTER TABLE "sluice"."pipeline_runs_parted" RENAME TO "pipeline_runs";
--> statement-breakpoint
ALTER TABLE "sluice"."pipeline_runs" ADD CONSTRAINT "pipeline_runs_pkey" PRIMARY KEY ("id");
--> statement-breakpoint
CREATE INDEX "pipeline_runs_by_integration" ON "sluice"."pipeline_runs" USING btree ("integration_id","id");
--> statement-breakpoint
CREATE INDEX "pipeline_runs_by_status" ON "sluice"."pipeline_runs" USING btree ("integration_id","status","id");
--> statement-breakpoint
CREATE INDEX "pipeline_runs_running" ON "sluice"."pipeline_runs" USING btree ("integration_id","id") WHERE status = 'running';
--> statement-breakpoint
CREATE TABLE "sluice"."pipeline_runs_default" PARTITION OF "sluice"."pipeline_runs" DEFAULT;
--> statement-breakpoint
CREATE TABLE "sluice"."dead_letter_records_parted" (LIKE "sluice"."dead_letter_records" INCLUDING DEFAULTS) PARTITION BY RANGE ("id");
--> statement-breakpoint
DROP TABLE "sluice"."dead_letter_records";
--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records_parted" RENAME TO "dead_letter_records";
--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD CONSTRAINT "dead_letter_records_pkey" PRIMARY KEY ("id");
--> statement-breakpoint
CREATE INDEX "dead_letter_records_by_integration" ON "sluice"."dead_letter_records" USING btree ("integration_id","id");
--> statement-breakpoint
CREATE INDEX "dead_letter_records_unresolved" ON "sluice"."dead_letter_records" USING btree ("integration_id","id") WHERE not resolved;
--> statement-breakpoint
CREATE INDEX "dead_letter_records_by_run" ON "sluice"."dead_letter_records" USING btree ("run_id");
--> statement-breakpoint
CREATE TABLE "sluice"."dead_letter_records_default" PARTITION OF "sluice"."dead_letter_records" DEFAULT;
--> statement-breakpoint
-- The JSON of a dead letter's bytes, or null where they are none or hold what jsonb refuses: one bad record must not
-- fail the flush that carries it.
CREATE FUNCTION "sluice"."jsonb_or_null"(raw bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(raw, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
