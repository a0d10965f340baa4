CREATE TABLE "sluice"."schema_drift" (
	"integration_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"fact" "bytea" NOT NULL,
	"connector" text NOT NULL,
	"stream" text NOT NULL,
	"version" integer NOT NULL,
	"drift" json NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "schema_drift_run_id_fact_pk" PRIMARY KEY("run_id","fact")
);
--> statement-breakpoint
CREATE TABLE "sluice"."source_schemas" (
	"integration_id" uuid NOT NULL,
	"connector" text NOT NULL,
	"stream" text NOT NULL,
	"version" integer NOT NULL,
	"schema" json NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "source_schemas_integration_id_connector_stream_version_pk" PRIMARY KEY("integration_id","connector","stream","version")
);
--> statement-breakpoint
ALTER TABLE "sluice"."schema_drift" ADD CONSTRAINT "schema_drift_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."source_schemas" ADD CONSTRAINT "source_schemas_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "schema_drift_by_age" ON "sluice"."schema_drift" USING btree ("seen_at");