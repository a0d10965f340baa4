import type { Json } from "../../connectors/sdk/index.ts";
import type { QuotaStore } from "../../runtime/ports/quotas.ts";
import type { Database } from "./database.ts";

const now = "extract(epoch from clock_timestamp()) * 1000";

export function quotaStore(db: Database): QuotaStore {
  return {
    async read({ integrationId, destination }) {
      const [row] = await db.query<{ state: Json | null; revision: number; now: number }>(
        `select l.state, coalesce(l.revision, 0)::bigint as revision, (${now})::bigint as now
         from (values ($1::uuid, $2)) k (integration_id, destination)
         left join sluice.rate_limits l using (integration_id, destination)`,
        [integrationId, destination],
      );
      return row!;
    },

    async write({ integrationId, destination }, state, revision) {
      const [row] = await db.query<{ revision: number; now: number }>(
        `insert into sluice.rate_limits as l (integration_id, destination, revision, state)
         select id, $2, 1, $3::json from sluice.integrations where id = $1
         on conflict (integration_id, destination) do update set revision = l.revision + 1, state = excluded.state
         where l.revision = $4
         returning revision, (${now})::bigint as now`,
        [integrationId, destination, JSON.stringify(state), revision],
      );
      return row ?? null;
    },
  };
}
