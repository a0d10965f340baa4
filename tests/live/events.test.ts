import { expect, test } from "vitest";
import { EventReader } from "../support/events.ts";
import { sharedNode } from "../support/node.ts";

const node = sharedNode();
const api = () => node().api;

const open = (query = "", token = node().token) => EventReader.open(`${node().url}/v1/events${query}`, token);

async function key(body: object): Promise<{ id: string; key: string }> {
  return api().call("POST", "/v1/api-keys", { name: "a key", role: "viewer", ...body });
}

/** An integration whose records all fail. */
async function failing(name: string): Promise<string> {
  await api().connector(`${name}-five`, "generator", { count: 5 });
  await api().connector(`${name}-hole`, "blackhole", {});
  return api().integration({
    name,
    source: { connector: `${name}-five`, stream: "n" },
    destination: { connector: `${name}-hole`, stream: "s" },
    mapping_spec: [{ value: "x", destination: "x", cast: "integer" }],
  });
}

test("a stream begins with all as it is, and then tells what happens, until each run and job has ended", async () => {
  const before = await failing("before");
  const events = await open();
  await expect.poll(() => events.of("ready")).toEqual([{}]);
  expect(events.events[0]).toEqual({ event: "hello", data: { beat_seconds: 10 } });
  expect(events.of("integration")).toContainEqual(
    expect.objectContaining({ id: before, name: "before", status: "enabled", live: expect.any(Object) }),
  );
  expect(events.of("node")).toContainEqual(expect.objectContaining({ id: node().id, state: "ready" }));

  const id = await failing("after");
  await expect.poll(() => events.of("integration").map((one) => one.id)).toContain(id);
  const run = await api().run(id);
  const ended = () => events.of("run").filter((one) => one.id === run && one.status !== "running");
  await expect.poll(ended).toHaveLength(1);
  expect(ended()[0]).toMatchObject({ integration_id: id, status: "partial", records_in: 5, records_failed: 5 });
  await expect.poll(() => events.of("dead_letters")).toContainEqual({ integration_id: id, depth: 5 });

  const job = await api().call<{ id: string }>("POST", `/v1/integrations/${id}/dead-letter/replay-all`);
  const last = () => events.of("job").findLast((one) => one.id === job.id);
  await expect.poll(() => last()?.status).toBe("partial");
  expect(last().progress).toEqual({ done: 5, total: 5, passed: 0, failed: 5 });

  await api().call("PUT", `/v1/integrations/${id}/disable`);
  await expect.poll(() => events.of("integration").findLast((one) => one.id === id)?.enabled).toBe(false);
  await api().request("DELETE", `/v1/integrations/${id}`);
  await expect.poll(() => events.of("integration")).toContainEqual({ id, removed: true });
  await expect.poll(() => events.beats).toBeGreaterThan(0);
});

test("a stream of one integration has its graph as it changes, and nothing of the others", async () => {
  const id = await failing("one");
  const other = await failing("other");
  expect((await open("?integration=no-such-thing")).status).toBe(404);
  const events = await open(`?integration=${id}`);
  await expect.poll(() => events.of("ready")).toHaveLength(1);
  const [first] = events.of("integration");
  expect(first).toMatchObject({ id, live: { graph: { bottleneck: null }, samples: { interval_seconds: 1 } } });
  const { id: otherRun } = await api().runAndWait(other);
  const { id: run } = await api().runAndWait(id);
  await expect
    .poll(() => events.of("integration").some(({ live }) => live.samples.in.some((count: number) => count > 0)))
    .toBe(true);
  await expect.poll(() => events.of("run").map((one) => one.id)).toContain(run);
  expect(events.of("run").map((one) => one.id)).not.toContain(otherRun);
  expect(events.of("integration").every((one) => one.id === id)).toBe(true);
});

test("a team hears of nothing but its own, and a key of nothing beyond its scopes", async () => {
  const theirs = await failing("theirs");
  const team = await key({ role: "admin", owner: "sales" });
  const narrow = await key({ scopes: ["integrations:read"] });
  const [ofTeam, ofNarrow, ofAll] = [await open("", team.key), await open("", narrow.key), await open()];
  for (const events of [ofTeam, ofNarrow, ofAll]) await expect.poll(() => events.of("ready")).toHaveLength(1);
  expect((await open(`?integration=${theirs}`, team.key)).status).toBe(404);
  const { id: run } = await api().runAndWait(theirs);
  await expect.poll(() => ofAll.of("run").map((one) => one.id)).toContain(run);
  await expect.poll(() => ofNarrow.of("integration").filter((one) => one.id === theirs).length).toBeGreaterThan(1);
  expect(new Set(ofTeam.events.map(({ event }) => event))).toEqual(new Set(["hello", "ready"]));
  // What the team makes itself comes, and comes behind what it must not hear of.
  const make = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${team.key}` };
    return (await api().call<{ id: string }>("POST", path, body, headers)).id;
  };
  await make("/v1/connectors", { name: "own", type: "generator", config: { count: 1 } });
  await make("/v1/connectors", { name: "own-hole", type: "blackhole" });
  const ends = { source: { connector: "own", stream: "a" }, destination: { connector: "own-hole", stream: "b" } };
  const own = await make("/v1/integrations", { name: "own", ...ends });
  await expect.poll(() => ofTeam.of("integration").map((one) => one.id)).toContain(own);
  expect(new Set(ofTeam.of("integration").map((one) => one.id))).toEqual(new Set([own]));
  expect(new Set(ofNarrow.events.map(({ event }) => event))).toEqual(new Set(["hello", "integration", "ready"]));
});

test("the stream of a key that is revoked ends", async () => {
  const { id, key: token } = await key({});
  const events = await open("", token);
  await expect.poll(() => events.of("ready")).toHaveLength(1);
  await api().request("DELETE", `/v1/api-keys/${id}`);
  await expect.poll(() => events.end, { timeout: 60_000 }).toBe("broken");
});
