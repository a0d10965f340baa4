CREATE TABLE "sluice"."suspects" (
	"integration_id" uuid NOT NULL,
	"mark" text NOT NULL,
	"times" integer NOT NULL,
	CONSTRAINT "suspects_integration_id_mark_pk" PRIMARY KEY("integration_id","mark")
);
--> statement-breakpoint
ALTER TABLE "sluice"."suspects" ADD CONSTRAINT "suspects_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;