DROP INDEX "sluice"."dead_letter_replays_open";--> statement-breakpoint
CREATE INDEX "dead_letter_replays_by_dead_letter" ON "sluice"."dead_letter_replays" USING btree ("dead_letter_id");