-- Each row is updated once, when its dead letter is settled: with room in its page no index needs a new entry.
ALTER TABLE "sluice"."dead_letter_replays" SET (fillfactor = 50);
