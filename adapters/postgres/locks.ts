import type { Database } from "./database.ts";

/** First halves of the advisory locks' keys; any numbers, but the same in each version of the program. */
export const locks = { migrate: 0x5100, maintain: 0x5101, runs: 0x5102, replays: 0x5103 } as const;

/** Waits for, and holds until the transaction ends, the right to open runs of an integration by what is running. */
export async function lockRuns(tx: Database, integrationId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock($1, hashtext($2))", [locks.runs, integrationId]);
}

/** The same for opening jobs over an integration's dead letters. */
export async function lockReplays(tx: Database, integrationId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock($1, hashtext($2))", [locks.replays, integrationId]);
}
