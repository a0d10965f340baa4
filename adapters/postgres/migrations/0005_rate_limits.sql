CREATE TABLE "sluice"."rate_limits" (
	"integration_id" uuid NOT NULL,
	"destination" text NOT NULL,
	"revision" bigint NOT NULL,
	"state" json NOT NULL,
	CONSTRAINT "rate_limits_integration_id_destination_pk" PRIMARY KEY("integration_id","destination")
);
--> statement-breakpoint
ALTER TABLE "sluice"."rate_limits" ADD CONSTRAINT "rate_limits_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;