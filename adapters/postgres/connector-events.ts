import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ConnectorEvent, ConnectorEventStore, ConnectorSnapshot } from "../../runtime/ports/connector-events.ts";
import type { Database } from "./database.ts";
import { connectorEvents } from "./schema.ts";

interface Row {
  readonly id: string;
  readonly event: ConnectorEvent["event"];
  readonly connector_id: string;
  readonly type: string;
  readonly config: JsonObject;
  readonly sealed: Uint8Array | null;
  readonly previous_config: JsonObject | null;
  readonly previous_sealed: Uint8Array | null;
  readonly created_at: Date;
  readonly attempts: number;
}

export function connectorEventStore(db: Database): ConnectorEventStore {
  return {
    async take(limit, leaseMs) {
      const rows = await db.query<Row>(
        `update sluice.connector_events e set due_at = now() + $2 * interval '1 millisecond', attempts = attempts + 1
         where e.id in (
           select id from sluice.connector_events d
           where due_at <= now() and not exists (
             select from sluice.connector_events earlier
             where earlier.connector_id = d.connector_id and earlier.id < d.id
           )
           order by id limit $1 for update skip locked
         )
         returning *`,
        [limit, leaseMs],
      );
      return rows.map(toEvent);
    },

    async done(id) {
      await db.query("delete from sluice.connector_events where id = $1", [id]);
    },

    async putOff(id, delayMs) {
      const due = "due_at = now() + $2 * interval '1 millisecond'";
      await db.query(`update sluice.connector_events set ${due} where id = $1`, [id, delayMs]);
    },

    async sealed() {
      const rows = await db.query<{ id: string; connector_id: string; sealed: Uint8Array }>(
        `select id, connector_id, each as sealed from sluice.connector_events,
           lateral (values (sealed), (previous_sealed)) as both_of (each) where each is not null order by id`,
        [],
      );
      return rows.map((row) => ({ id: Number(row.id), connectorId: row.connector_id, sealed: row.sealed }));
    },

    async reseal(id, before, after) {
      const rows = await db.query(
        `update sluice.connector_events
            set sealed = case when sealed = $2 then $3 else sealed end,
                previous_sealed = case when previous_sealed = $2 then $3 else previous_sealed end
          where id = $1 and (sealed = $2 or previous_sealed = $2) returning 1`,
        [id, before, after],
      );
      return rows.length > 0;
    },
  };
}

/** In the transaction of the change. */
export async function addConnectorEvent(
  tx: Database,
  event: ConnectorEvent["event"],
  { id, type, config, sealed }: ConnectorSnapshot,
  previous: ConnectorEvent["previous"] = null,
): Promise<void> {
  const before = { previousConfig: previous?.config ?? null, previousSealed: previous?.sealed ?? null };
  await tx.orm.insert(connectorEvents).values({ connectorId: id, event, type, config, sealed, ...before });
}

function toEvent(row: Row): ConnectorEvent {
  const { previous_config: config, previous_sealed: sealed } = row;
  return {
    id: Number(row.id),
    event: row.event,
    connector: { id: row.connector_id, type: row.type, config: row.config, sealed: row.sealed },
    previous: config && { config, sealed },
    createdAt: row.created_at,
    attempts: row.attempts - 1,
  };
}
