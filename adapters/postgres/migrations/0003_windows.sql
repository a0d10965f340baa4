CREATE TABLE "sluice"."aggregate_groups" (
	"integration_id" uuid NOT NULL,
	"step" text NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"key" text NOT NULL,
	"state" json NOT NULL,
	CONSTRAINT "aggregate_groups_integration_id_step_key_hash_pk" PRIMARY KEY("integration_id","step","key_hash")
);
--> statement-breakpoint
ALTER TABLE "sluice"."source_cursors" ADD COLUMN "source" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."source_cursors" DROP CONSTRAINT "source_cursors_pkey";--> statement-breakpoint
ALTER TABLE "sluice"."source_cursors" ADD CONSTRAINT "source_cursors_integration_id_source_pk" PRIMARY KEY("integration_id","source");--> statement-breakpoint
ALTER TABLE "sluice"."aggregate_groups" ADD CONSTRAINT "aggregate_groups_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;