CREATE TABLE "sluice"."dead_letter_replays" (
	"job_id" uuid NOT NULL,
	"dead_letter_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"state" text DEFAULT 'open' NOT NULL,
	"run_id" uuid,
	"failure_id" uuid,
	CONSTRAINT "dead_letter_replays_job_id_dead_letter_id_pk" PRIMARY KEY("job_id","dead_letter_id")
);
--> statement-breakpoint
CREATE TABLE "sluice"."jobs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"integration_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"options" json NOT NULL,
	"error" json,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "child" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "source" text;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "corrected" text;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "corrected_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "resolution_reason" text;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "resolved_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sluice"."dead_letter_records" ADD COLUMN "resolved_run_id" uuid;--> statement-breakpoint
ALTER TABLE "sluice"."pipeline_runs" ADD COLUMN "job_id" uuid;--> statement-breakpoint
ALTER TABLE "sluice"."jobs" ADD CONSTRAINT "jobs_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "dead_letter_replays_open" ON "sluice"."dead_letter_replays" USING btree ("dead_letter_id") WHERE state = 'open';--> statement-breakpoint
CREATE INDEX "jobs_by_integration" ON "sluice"."jobs" USING btree ("integration_id","id");--> statement-breakpoint
CREATE INDEX "dead_letter_records_by_fingerprint" ON "sluice"."dead_letter_records" USING btree ("integration_id","fingerprint","id") WHERE not resolved;