import { randomUUIDv7 } from "node:crypto";
import { expect } from "vitest";
import type { NewDeadLetter } from "../../runtime/ports/store.ts";
import { type Api, fileConnector, integration, startApi } from "./support.ts";

/** Calls with a key of its own. */
export async function withKey(api: Api, body: object) {
  const { status, body: made } = await api.call("POST", "/v1/api-keys", { name: "a key", ...body });
  expect([status, made]).toEqual([201, expect.objectContaining({ key: expect.stringMatching(/^slc_/) })]);
  const authorization = `Bearer ${made.key}`;
  return {
    id: made.id as string,
    key: made.key as string,
    call: (method: string, url: string, body?: unknown) => api.call(method, url, body, { authorization }),
  };
}

/** Two teams, of which one has something of everything; its ids by kind. */
export async function teams() {
  const api = await startApi();
  const mine = await withKey(api, { role: "admin", owner: "sales" });
  const other = await withKey(api, { role: "admin", owner: "finance" });
  const connector = (await other.call("POST", "/v1/connectors", fileConnector(api))).body;
  expect(connector).toMatchObject({ owner: "finance" });
  const { id: integrationId } = (await other.call("POST", "/v1/integrations", integration())).body;
  const { id: runId } = (await other.call("POST", `/v1/integrations/${integrationId}/run`)).body;
  const letter = deadLetter({ runId, integrationId });
  await api.store.checkpoints.commit([
    { integrationId, epoch: 1, run: null, checkpoints: [], deadLetters: [letter], groups: [] },
  ]);
  const counts = { in: 1, out: 0, filtered: 0, failed: 1, byDestination: {} };
  await api.store.runs.finish(runId, { status: "partial", error: null, counts });
  const job = (await other.call("POST", `/v1/integrations/${integrationId}/dead-letter/replay-all`)).body;
  const theirs: Readonly<Record<string, string>> = {
    connectors: connector.id,
    integrations: integrationId,
    runs: runId,
    "dead-letter": letter.id,
    jobs: job.id,
    "api-keys": other.id,
  };
  return { api, mine, other, theirs };
}

/** Bodies that would be taken, so that it is the id that is refused. */
export const replacements: Readonly<Record<string, unknown>> = {
  connectors: { name: "other", type: "blackhole", config: {} },
  integrations: integration(),
};

/** What each role is the first to be allowed. */
export const first = {
  viewer: "connectors:read integrations:read runs:read dead-letters:read platform:read",
  operator: "connectors:test integrations:operate runs:write dead-letters:write",
  editor: "connectors:write integrations:write",
  admin: "keys:read keys:write audit:read platform:write",
};

const deadLetter = (of: Pick<NewDeadLetter, "runId" | "integrationId">): NewDeadLetter => ({
  id: randomUUIDv7(),
  ...of,
  integrationVersion: 1,
  recordId: "r",
  step: "map",
  destination: null,
  rule: 2,
  code: "VALIDATION_ERROR",
  message: "rule 2: a string is no number",
  raw: Buffer.from('{"a":1}'),
  state: null,
  position: { base: "a.ndjson", ordinal: 7 },
  attempts: [],
  fingerprint: "f",
  traceId: null,
});
