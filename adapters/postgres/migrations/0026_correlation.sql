ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "correlation" json;--> statement-breakpoint
ALTER TABLE "sluice"."jobs" ADD COLUMN "correlation" json;--> statement-breakpoint
ALTER TABLE "sluice"."pipeline_runs" ADD COLUMN "correlation" json;