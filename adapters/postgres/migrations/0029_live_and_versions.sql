ALTER TABLE "sluice"."audit_log" ADD COLUMN "actor_id" text;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."pipeline_runs" ADD COLUMN "series" json;