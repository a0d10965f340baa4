ALTER TABLE "sluice"."processed_events" DROP CONSTRAINT "processed_events_integration_id_integrations_id_fk";
--> statement-breakpoint
DROP INDEX "sluice"."processed_events_by_age";--> statement-breakpoint
CREATE INDEX "processed_events_by_age" ON "sluice"."processed_events" USING brin ("seen_at") WITH (autosummarize=true);