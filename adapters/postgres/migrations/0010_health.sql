ALTER TABLE "sluice"."integrations" ADD COLUMN "health" text DEFAULT 'ok' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."integrations" ADD COLUMN "health_reason" text;