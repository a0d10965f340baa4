CREATE TABLE "sluice"."removed_integrations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"removed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sluice"."checkpoint_owners" ADD COLUMN "commits" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."checkpoint_owners" ADD COLUMN "ingest_log" bigint;--> statement-breakpoint
ALTER TABLE "sluice"."checkpoint_owners" ADD COLUMN "deliver_log" bigint;