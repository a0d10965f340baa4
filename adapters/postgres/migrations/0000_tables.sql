CREATE SCHEMA "sluice";
--> statement-breakpoint
CREATE TABLE "sluice"."api_tokens" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."checkpoint_owners" (
	"integration_id" uuid PRIMARY KEY NOT NULL,
	"epoch" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."checkpoints" (
	"integration_id" uuid NOT NULL,
	"consumer" text NOT NULL,
	"settled" json NOT NULL,
	"state" json,
	"progress" json,
	CONSTRAINT "checkpoints_integration_id_consumer_pk" PRIMARY KEY("integration_id","consumer")
);
--> statement-breakpoint
CREATE TABLE "sluice"."claims" (
	"id" uuid PRIMARY KEY NOT NULL,
	"integration_id" uuid NOT NULL,
	"bytes" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."connectors" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"config" json NOT NULL,
	"sealed" "bytea",
	"owner" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "connectors_name" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "sluice"."dead_letter_records" (
	"id" uuid PRIMARY KEY NOT NULL,
	"run_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"integration_version" integer NOT NULL,
	"record_id" text NOT NULL,
	"step" text,
	"destination" text,
	"rule" integer,
	"code" text NOT NULL,
	"message" text NOT NULL,
	"payload" jsonb,
	"raw" "bytea" NOT NULL,
	"state" text,
	"position_base" text NOT NULL,
	"position_ordinal" bigint NOT NULL,
	"attempts" json NOT NULL,
	"first_failed_at" timestamp with time zone NOT NULL,
	"last_attempted_at" timestamp with time zone NOT NULL,
	"fingerprint" text NOT NULL,
	"trace_id" text,
	"resolved" boolean DEFAULT false NOT NULL,
	"resolution" text
);
--> statement-breakpoint
CREATE TABLE "sluice"."integration_versions" (
	"integration_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"name" text NOT NULL,
	"spec" json NOT NULL,
	"enabled" boolean NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "integration_versions_integration_id_version_pk" PRIMARY KEY("integration_id","version")
);
--> statement-breakpoint
CREATE TABLE "sluice"."integrations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"spec" json NOT NULL,
	"enabled" boolean NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"owner" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "integrations_name" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "sluice"."pipeline_runs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"integration_id" uuid NOT NULL,
	"integration_version" integer NOT NULL,
	"trigger" text NOT NULL,
	"status" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"records_in" bigint DEFAULT 0 NOT NULL,
	"records_out" bigint DEFAULT 0 NOT NULL,
	"records_filtered" bigint DEFAULT 0 NOT NULL,
	"records_failed" bigint DEFAULT 0 NOT NULL,
	"by_destination" json DEFAULT '{}'::json NOT NULL,
	"error" json,
	"waiting" text
);
--> statement-breakpoint
CREATE TABLE "sluice"."processed_events" (
	"integration_id" uuid NOT NULL,
	"destination" text NOT NULL,
	"key" "bytea" NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "processed_events_integration_id_destination_key_pk" PRIMARY KEY("integration_id","destination","key")
);
--> statement-breakpoint
CREATE TABLE "sluice"."scheduled_fires" (
	"integration_id" uuid NOT NULL,
	"instant" timestamp with time zone NOT NULL,
	"integration_version" integer NOT NULL,
	"outcome" text NOT NULL,
	"run_id" uuid,
	CONSTRAINT "scheduled_fires_integration_id_instant_pk" PRIMARY KEY("integration_id","instant")
);
--> statement-breakpoint
CREATE TABLE "sluice"."source_cursors" (
	"integration_id" uuid PRIMARY KEY NOT NULL,
	"cursor" json,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sluice"."checkpoint_owners" ADD CONSTRAINT "checkpoint_owners_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."checkpoints" ADD CONSTRAINT "checkpoints_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."claims" ADD CONSTRAINT "claims_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."integration_versions" ADD CONSTRAINT "integration_versions_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."processed_events" ADD CONSTRAINT "processed_events_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."scheduled_fires" ADD CONSTRAINT "scheduled_fires_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."source_cursors" ADD CONSTRAINT "source_cursors_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "claims_by_age" ON "sluice"."claims" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "dead_letter_records_by_integration" ON "sluice"."dead_letter_records" USING btree ("integration_id","id");--> statement-breakpoint
CREATE INDEX "dead_letter_records_unresolved" ON "sluice"."dead_letter_records" USING btree ("integration_id","id") WHERE not resolved;--> statement-breakpoint
CREATE INDEX "dead_letter_records_by_run" ON "sluice"."dead_letter_records" USING btree ("run_id");--> statement-breakpoint
CREATE INDEX "pipeline_runs_by_integration" ON "sluice"."pipeline_runs" USING btree ("integration_id","id");--> statement-breakpoint
CREATE INDEX "pipeline_runs_by_status" ON "sluice"."pipeline_runs" USING btree ("integration_id","status","id");--> statement-breakpoint
CREATE INDEX "pipeline_runs_running" ON "sluice"."pipeline_runs" USING btree ("integration_id","id") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "processed_events_by_age" ON "sluice"."processed_events" USING btree ("seen_at");--> statement-breakpoint
CREATE INDEX "scheduled_fires_queued" ON "sluice"."scheduled_fires" USING btree ("integration_id","instant") WHERE outcome = 'queued';