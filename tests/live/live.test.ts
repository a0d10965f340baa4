import { expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";

const node = sharedNode();
const api = () => node().api;

interface Live {
  readonly at: string | null;
  readonly records_in_per_second: number;
  readonly records_out_per_second: number;
  readonly lag: number;
  readonly run_id: string | null;
  readonly dead_letters: number | null;
  readonly samples: { readonly in: readonly number[]; readonly out: readonly number[] };
  readonly latency: { readonly p50_seconds: number } | null;
  readonly graph: {
    readonly edges: readonly { readonly id: string; readonly per_second: number; readonly blocked: boolean }[];
    readonly bottleneck: { readonly edge: string; readonly reason: string } | null;
  };
}

interface Overview {
  readonly items: readonly {
    readonly id: string;
    readonly name: string;
    readonly health: string;
    readonly last_run: { readonly status: string } | null;
    readonly live: Live;
  }[];
  readonly next_cursor: string | null;
  readonly totals: { readonly integrations: number; readonly with_dead_letters: number };
}

const live = (id: string) => api().call<Live>("GET", `/v1/integrations/${id}/live`);
const overview = (query = "") => api().call<Overview>("GET", `/v1/overview${query}`);

test("a slow destination is named as what holds everything up, with what flows and waits", async () => {
  await api().connector("numbers", "generator", { count: 400_000, size: 200 });
  await api().connector("slow", "blackhole", { latency: "800ms" });
  const slow = await api().integration({
    name: "to-slow",
    source: { connector: "numbers", stream: "n" },
    destination: { connector: "slow", stream: "s" },
    mapping_spec: [{ source: "$", destination: "*" }],
  });
  const before = await live(slow);
  expect(before).toMatchObject({ records_in_per_second: 0, lag: 0, run_id: null, graph: { bottleneck: null } });
  expect(before.graph.edges.map(({ id }) => id)).toEqual([
    "source:0>log:ingest",
    "log:ingest>step:map",
    "step:map>destination:slow",
  ]);
  const run = await api().run(slow);
  const edge = "step:map>destination:slow";
  await expect
    .poll(async () => (await live(slow)).graph.bottleneck?.edge, { timeout: 60_000, interval: 200 })
    .toBe(edge);
  const now = await live(slow);
  expect(now.run_id).toBe(run);
  expect(now.graph.bottleneck).toMatchObject({
    edge,
    reason: expect.stringMatching(/^Destination slow is the slowest part: it takes [\d,]+ records a second while/),
  });
  await expect.poll(async () => (await live(slow)).latency, { timeout: 60_000 }).not.toBeNull();
  const { lag, samples, latency } = await live(slow);
  expect(lag).toBeGreaterThan(0);
  expect(samples.in.length).toBe(samples.out.length);
  expect(latency?.p50_seconds).toBeGreaterThan(0.5);
  await api().call("POST", `/v1/runs/${run}/cancel`);
  const { records_in, records_out } = await api().ended(run);
  const { points } = await api().call<{ points: readonly Record<string, number>[] }>("GET", `/v1/runs/${run}/series`);
  expect(points.length).toBeGreaterThan(3);
  expect(points.at(-1)).toMatchObject({ records_in, records_out });
  const read = points.map((point) => point.records_in);
  expect(read).toEqual(read.toSorted((a, b) => Number(a) - Number(b)));
  await expect.poll(async () => (await live(slow)).run_id, { timeout: 60_000 }).toBeNull();
});

test("the overview has what needs attention first, a page at a time, with what flowed in the last minute", async () => {
  await api().connector("five", "generator", { count: 5 });
  await api().connector("hole", "blackhole", {});
  const ends = { source: { connector: "five", stream: "n" }, destination: { connector: "hole", stream: "s" } };
  const fine = await api().integration({ name: "a-fine", ...ends });
  const failing = { mapping_spec: [{ value: "x", destination: "x", cast: "integer" }] };
  const broken = await api().integration({ name: "z-broken", ...ends, ...failing });
  await api().integration({ name: "b-off", ...ends, enabled: false });
  expect((await api().runAndWait(fine)).status).toBe("success");
  expect((await api().runAndWait(broken)).status).toBe("partial");
  const all = await overview();
  const names = all.items.map(({ name }) => name);
  expect([names[0], names.at(-1)]).toEqual(["z-broken", "b-off"]);
  expect(all.totals).toMatchObject({ integrations: names.length, with_dead_letters: 1 });
  expect(all.items[0]).toMatchObject({ last_run: { status: "partial" }, live: { dead_letters: 5 } });
  await expect
    .poll(
      async () => {
        const { items } = await overview("?search=A-FI");
        return items.map(({ name, live: { samples } }) => [name, samples.out.reduce((sum, out) => sum + out, 0)]);
      },
      { timeout: 30_000 },
    )
    .toEqual([["a-fine", 5]]);
  const paged: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { items, next_cursor } = await overview(`?limit=2${cursor && `&cursor=${cursor}`}`);
    paged.push(...items.map(({ name }) => name));
    cursor = next_cursor;
  }
  expect(paged).toEqual(names);
  expect((await overview("?sort=name")).items.map(({ name }) => name)).toEqual(names.toSorted());
  expect((await overview("?enabled=false")).items.map(({ name }) => name)).toEqual(["b-off"]);
  expect((await overview("?dead_letters=true")).items.map(({ name }) => name)).toEqual(["z-broken"]);
  const [most, { next_cursor: rest }] = [names[0], await overview("?sort=dead_letters&limit=1")];
  const others = (await overview(`?sort=dead_letters&cursor=${rest}`)).items.map(({ name }) => name);
  expect([most, ...others]).toEqual(["z-broken", ...names.filter((name) => name !== "z-broken").toSorted()]);
});

test("a node says what it is, what it does and how well, and a caller who it is", async () => {
  const { items } = await api().call<{ items: object[] }>("GET", "/v1/nodes");
  expect(items).toEqual([
    expect.objectContaining({
      id: node().id,
      state: "ready",
      reasons: [],
      uptime_seconds: expect.any(Number),
      event_loop_lag: { p50_ms: expect.any(Number), p99_ms: expect.any(Number) },
      nats: { connected: true, reason: null },
      postgres: { connected: true, reason: null },
      durability: { tier: "synced", copies: 1 },
    }),
  ]);
  expect(await api().call("GET", "/v1/me")).toMatchObject({ name: "data folder", role: "admin", owner: null });
});
