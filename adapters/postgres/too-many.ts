import type { PgTable } from "drizzle-orm/pg-core";
import { ConflictError } from "../../runtime/ports/store.ts";
import type { Database } from "./database.ts";

/** Of connectors, and of integrations: nodes know all of them by heart. */
const most = 10_000;

/** Before one more is made. Two that are made at once may both be the last one. */
export async function refuseTooMany(tx: Database, table: PgTable, what: string): Promise<void> {
  if ((await tx.orm.$count(table)) < most) return;
  throw new ConflictError(`there are ${most.toLocaleString("en")} ${what}, and no more are taken`);
}
