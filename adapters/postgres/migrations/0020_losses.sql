ALTER TABLE "sluice"."integrations" ADD COLUMN "losses" json;--> statement-breakpoint
ALTER TABLE "sluice"."integrations" ADD COLUMN "losses_seen" bigint;