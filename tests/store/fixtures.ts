import { randomBytes } from "node:crypto";
import { openStore, type PostgresStore, type StoreOptions } from "../../adapters/postgres/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { IntegrationRow, NewDeadLetter, RunCounts, RunRow, Settlement, Store } from "../../runtime/ports/store.ts";
import type { TestServer } from "./test-server.ts";

/** A store on a database of its own. */
export async function newStore(server: TestServer, options: Partial<StoreOptions> = {}): Promise<PostgresStore> {
  return openStore({ url: await server.url(), ...options });
}

let ids = 0;

/** A UUIDv7 of a time; later ones of this process are greater. */
export function uuidV7(at: number = Date.now()): string {
  const order = 0x7000 + ((ids >> 12) & 0xfff);
  const hex = [at.toString(16).padStart(12, "0"), order.toString(16), (0x8000 + (ids++ & 0xfff)).toString(16)].join("");
  return `${hex}${randomBytes(6).toString("hex")}`.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

let names = 0;

export function addIntegration(store: Store, change: Partial<IntegrationRow> = {}): Promise<IntegrationRow> {
  const spec: JsonObject = { source: { connector: "shop", stream: "customers" }, destination: { connector: "crm" } };
  return store.integrations.create({
    id: uuidV7(),
    name: `integration-${names++}`,
    spec,
    enabled: true,
    owner: null,
    ...change,
  });
}

export async function addRun(store: Store, { id, version }: IntegrationRow): Promise<RunRow> {
  const run = { id: uuidV7(), integrationId: id, integrationVersion: version, trigger: "manual" as const };
  return (await store.runs.create({ ...run, onlyIfIdle: false }))!;
}

export const noCounts: RunCounts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };

export function settlement(integrationId: string, change: Partial<Settlement> = {}): Settlement {
  return { integrationId, epoch: 1, run: null, checkpoints: [], deadLetters: [], groups: [], ...change };
}

export function deadLetter(run: RunRow, change: Partial<NewDeadLetter> = {}): NewDeadLetter {
  return {
    id: uuidV7(),
    runId: run.id,
    integrationId: run.integrationId,
    integrationVersion: run.integrationVersion,
    recordId: "record-1",
    step: "map",
    destination: null,
    rule: 2,
    code: "VALIDATION_ERROR",
    message: "rule 2: $.total is a string",
    raw: Buffer.from('{"total":"many"}'),
    state: '{"total":"many"}',
    position: { base: "orders.ndjson", ordinal: 7 },
    attempts: [{ at: "2026-11-21T10:00:00.123Z", code: "VALIDATION_ERROR", message: "rule 2" }],
    fingerprint: "f1",
    traceId: null,
    ...change,
  };
}
