ALTER TABLE "sluice"."checkpoint_owners" ADD COLUMN "ingest_end" bigint;--> statement-breakpoint
ALTER TABLE "sluice"."checkpoint_owners" ADD COLUMN "deliver_end" bigint;