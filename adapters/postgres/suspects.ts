import type { SuspectStore } from "../../runtime/ports/suspects.ts";
import type { Database } from "./database.ts";

export function suspectStore(db: Database): SuspectStore {
  return {
    async take({ integrationId, marks }) {
      // In one order, so that two of these never wait for each other.
      const rows = await db.query<{ mark: string; times: number }>(
        `insert into sluice.suspects as s (integration_id, mark, times)
         select id, mark, 1 from sluice.integrations, unnest($2::text[]) as mark where id = $1 order by mark
         on conflict (integration_id, mark) do update set times = s.times + 1, taken_at = now()
         returning mark, times`,
        [integrationId, marks],
      );
      const times = new Map(rows.map((row) => [row.mark, row.times]));
      return marks.map((mark) => (times.get(mark) ?? 1) - 1);
    },

    async letGo({ integrationId, marks }) {
      await db.query("delete from sluice.suspects where integration_id = $1 and mark = any ($2::text[])", [
        integrationId,
        marks,
      ]);
    },

    async left(integrationId, prefix) {
      const rows = await db.query<{ mark: string }>(
        "select mark from sluice.suspects where integration_id = $1 and starts_with(mark, $2) limit 10000",
        [integrationId, prefix],
      );
      return rows.map(({ mark }) => mark);
    },
  };
}
