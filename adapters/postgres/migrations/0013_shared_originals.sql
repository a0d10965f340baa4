-- Partitioned by day as in migration 0001.
CREATE TABLE "sluice"."dead_letter_originals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"raw" "bytea",
	"payload" jsonb,
	"state" text
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE TABLE "sluice"."dead_letter_originals_default" PARTITION OF "sluice"."dead_letter_originals" DEFAULT;
--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "raw_of" uuid;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "state_of" uuid;--> statement-breakpoint
ALTER TABLE "sluice"."scheduled_retries" ADD COLUMN "raw_of" uuid;