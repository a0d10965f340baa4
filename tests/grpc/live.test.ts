import { readFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { beforeAll, expect, test } from "vitest";
import type { Event, Live } from "../../proto/gen/sluice/control/v1/live.ts";
import { sharedNode } from "../support/node.ts";
import { as, ask, clientOf, failureOf } from "./support.ts";

const node = sharedNode();
const api = () => node().api;
const client = () => clientOf(new URL(readFileSync(join(node().dataDir, "grpc-url"), "utf8").trim()).host);
const mine = () => as(node().token);
const page = { limit: undefined, cursor: undefined };
const any = { ...page, sort: undefined, health: undefined, enabled: undefined, search: undefined };

let id: string;
let run: string;

/** One that has failed with all its records, and goes on. */
beforeAll(async () => {
  await api().connector("numbers", "generator", { rate: 100, template: { n: "{{ index }}" } });
  await api().connector("nowhere", "blackhole", {});
  id = await api().integration({
    name: "failing",
    source: { connector: "numbers", stream: "n" },
    destination: { id: "sink", connector: "nowhere", stream: "s" },
    mapping_spec: [{ value: "x", destination: "x", cast: "integer" }],
  });
  run = await api().run(id);
}, 240_000);

test("live figures and the overview are those of the REST API", async () => {
  const asked = client();
  const live = (): Promise<Live> => ask(asked, asked.getLive, { id }, mine());
  await expect.poll(async () => (await live()).recordsInPerSecond, { timeout: 60_000 }).toBeGreaterThan(0);
  const shown = await api().call<{ graph: { nodes: object[]; edges: object[] } }>("GET", `/v1/integrations/${id}/live`);
  expect(await live()).toMatchObject({
    integrationId: id,
    runId: run,
    circuits: { sink: { state: expect.any(Number) } },
    samples: { intervalSeconds: 1 },
    graph: {
      nodes: shown.graph.nodes.map((one) => expect.objectContaining({ id: (one as { id: string }).id })),
      edges: shown.graph.edges.map((one) => expect.objectContaining({ id: (one as { id: string }).id })),
    },
  });
  const overview = await ask(asked, asked.getOverview, { ...any, search: "fail" }, mine());
  expect(overview.items).toMatchObject([
    { id, name: "failing", enabled: true, trigger: "manual", lastRun: { id: run }, live: { runId: run } },
  ]);
  expect(overview.items[0]?.live?.recordsFailedPerSecond).toBeGreaterThan(0);
  expect(overview.totals).toMatchObject({ integrations: 1n, enabled: 1n, byHealth: expect.any(Object) });
  const nobody = await ask(asked, asked.getOverview, { ...any, search: "nobody" }, mine());
  expect(nobody).toMatchObject({ items: [], totals: { integrations: 1n } });
});

test("a run's series and its errors, the next fires and who asks are told", async () => {
  const asked = client();
  await api().until(run, ({ records_failed }) => records_failed >= 100);
  const { points, runId } = await ask(asked, asked.getRunSeries, { id: run }, mine());
  expect(runId).toBe(run);
  expect(points.length).toBeGreaterThan(0);
  const told = points.map(({ at, recordsIn, recordsFailed }) => [at?.seconds, recordsIn, recordsFailed]);
  expect(told).toEqual(told.toSorted((a, b) => Number(a[1]) - Number(b[1])));
  const { items } = await ask(asked, asked.listRunErrors, { id: run, ...page }, mine());
  expect(items).toMatchObject([{ rule: 0, fingerprint: expect.any(String), exampleId: expect.any(String) }]);
  expect(Number(items[0]?.count)).toBeGreaterThanOrEqual(100);
  expect(await ask(asked, asked.listFires, { id, limit: undefined }, mine())).toMatchObject({ items: [] });
  await api().connector("hourly-one", "generator", { count: 1 });
  const hourly = await api().integration({
    name: "hourly",
    trigger: { type: "schedule", cron: "0 * * * *", timezone: "UTC" },
    source: { connector: "hourly-one", stream: "n" },
    destination: { connector: "nowhere", stream: "s" },
  });
  const fires = (await ask(asked, asked.listFires, { id: hourly, limit: 3 }, mine())).items.map(({ at }) =>
    Number(at?.seconds),
  );
  expect(fires.map((at) => at % 3_600)).toEqual([0, 0, 0]);
  expect(fires.map((at) => (at - (fires[0] as number)) / 3_600)).toEqual([0, 1, 2]);
  await api().request("DELETE", `/v1/integrations/${hourly}`);
  const { name, owner, scopes } = await ask(asked, asked.getMe, {}, mine());
  expect([name, owner, scopes.includes("platform:write")]).toEqual(["data folder", undefined, true]);
});

test("events begin with all as it is and go on as it changes, of what the caller may see", async () => {
  const { key } = await api().call<{ key: string }>("POST", "/v1/api-keys", {
    name: "team",
    role: "viewer",
    owner: "elsewhere",
  });
  const told = async (token: string, integration: string | undefined, until: (events: Event[]) => boolean) => {
    const call = client().streamEvents({ integration }, as(token));
    const events: Event[] = [];
    for await (const event of call as AsyncIterable<Event>) {
      events.push(event);
      if (until(events)) break;
    }
    call.cancel();
    return events;
  };
  const of = (events: readonly Event[], name: string) => events.filter(({ event }) => event === name);
  const isReady = (events: Event[]) => of(events, "ready").length > 0;
  const changed = (events: Event[]) => isReady(events) && events.at(-1)?.event === "run";
  const all = await told(node().token, undefined, changed);
  expect(all[0]).toEqual({ event: "hello", data: { beat_seconds: 10 } });
  expect(of(all, "integration")[0]?.data).toMatchObject({ id, name: "failing", live: { run_id: run } });
  expect(of(all, "run").at(-1)?.data).toMatchObject({ id: run, status: "running" });
  expect(of(all, "node")[0]?.data).toMatchObject({ id: node().id });
  const one = await told(node().token, id, isReady);
  expect(of(one, "integration")[0]?.data).toMatchObject({ id, live: { graph: { nodes: expect.any(Array) } } });
  const others = await told(key, undefined, isReady);
  expect(others.map(({ event }) => event)).toEqual(["hello", "ready"]);
  expect(await failureOf(told(key, id, isReady))).toMatchObject({ code: status.NOT_FOUND });
});
