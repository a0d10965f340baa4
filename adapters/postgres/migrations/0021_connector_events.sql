CREATE TABLE "sluice"."connector_events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"connector_id" uuid NOT NULL,
	"event" text NOT NULL,
	"type" text NOT NULL,
	"config" json NOT NULL,
	"sealed" "bytea",
	"previous_config" json,
	"previous_sealed" "bytea",
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "connector_events_by_connector" ON "sluice"."connector_events" USING btree ("connector_id","id");