CREATE TABLE "sluice"."scheduled_retries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"integration_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"destination" text NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"letter" json NOT NULL,
	"raw" "bytea" NOT NULL,
	"out_id" text NOT NULL,
	"ingested_at" bigint NOT NULL,
	"full_read" boolean NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sluice"."scheduled_retries" ADD CONSTRAINT "scheduled_retries_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "scheduled_retries_due" ON "sluice"."scheduled_retries" USING btree ("integration_id","destination","due_at");