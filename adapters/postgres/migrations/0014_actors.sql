ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "corrected_by" text;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "resolved_by" text;--> statement-breakpoint
ALTER TABLE "sluice"."jobs" ADD COLUMN "created_by" text;