import type { SuspectStore } from "../../runtime/ports/suspects.ts";
import type { Database } from "./database.ts";

export function suspectStore(db: Database): SuspectStore {
  return {
    async take({ integrationId, mark }) {
      const [row] = await db.query<{ times: number }>(
        `insert into sluice.suspects as s (integration_id, mark, times)
         select id, $2, 1 from sluice.integrations where id = $1
         on conflict (integration_id, mark) do update set times = s.times + 1
         returning times`,
        [integrationId, mark],
      );
      return (row?.times ?? 1) - 1;
    },

    async letGo({ integrationId, mark }) {
      await db.query("delete from sluice.suspects where integration_id = $1 and mark = $2", [integrationId, mark]);
    },
  };
}
