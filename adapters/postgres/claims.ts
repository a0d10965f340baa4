import { randomUUID } from "node:crypto";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import type { Database } from "./database.ts";
import { isUuid } from "./paging.ts";

export function claimStore(db: Database): ClaimStore {
  return {
    async put(integrationId, bytes) {
      const id = randomUUID();
      await db.query("insert into sluice.claims (id, integration_id, bytes) values ($1, $2, $3)", [
        id,
        integrationId,
        bytes,
      ]);
      return id;
    },

    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.query<{ bytes: Uint8Array }>("select bytes from sluice.claims where id = $1", [id]);
      return row?.bytes ?? null;
    },

    async remove(ids) {
      await db.query("delete from sluice.claims where id = any($1::uuid[])", [ids]);
    },

    async ids(integrationId) {
      const rows = await db.query<{ id: string }>("select id from sluice.claims where integration_id = $1", [
        integrationId,
      ]);
      return rows.map(({ id }) => id);
    },

    async bytes(integrationId) {
      const [row] = await db.query<{ bytes: number }>(
        "select coalesce(sum(octet_length(bytes)), 0)::bigint as bytes from sluice.claims where integration_id = $1",
        [integrationId],
      );
      return row!.bytes;
    },
  };
}
