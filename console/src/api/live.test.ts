import { type InfiniteData, QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, test, vi } from "vitest";
import type { Page } from "./client.ts";
import { intoCache } from "./live.ts";
import type { Circuit, IntegrationEvent, Node, OverviewItem, Run } from "./types.ts";

const figures = {
  at: "2026-01-01T00:00:00.000Z",
  records_in_per_second: 5,
  records_out_per_second: 4,
  records_failed_per_second: 0,
  lag: 1,
  error_ratio: 0,
  dead_letters: 0,
  freshness_seconds: null,
  latency: null,
  circuits: {} as Record<string, Circuit>,
  run_id: null,
  waiting: null,
};
const state = {
  name: "orders",
  enabled: true,
  status: "enabled",
  version: 1,
  health: "ok",
  health_reason: null,
} as const;
const item: OverviewItem = {
  ...state,
  id: "a",
  owner: null,
  updated_at: figures.at,
  trigger: "manual",
  next_fire_at: null,
  last_run: null,
  live: { ...figures, samples: { interval_seconds: 1, in: [1], out: [1], failed: [0] } },
};
const run = { id: "r", integration_id: "a", status: "running", started_at: figures.at, records_in: 1 } as Run;

let client: QueryClient;
let invalidated: unknown[];
let tell: ReturnType<typeof intoCache>;

beforeEach(() => {
  vi.useFakeTimers();
  client = new QueryClient();
  invalidated = [];
  vi.spyOn(client, "invalidateQueries").mockImplementation(async (filters) => {
    invalidated.push(filters?.queryKey);
  });
  client.setQueryData(["overview", {}], pages<OverviewItem>([{ ...item, id: "b" }], [item]));
  tell = intoCache(client);
  return () => vi.useRealTimers();
});

function pages<T>(...lists: T[][]): InfiniteData<Page<T>> {
  return { pages: lists.map((items) => ({ items, next_cursor: null })), pageParams: lists.map(() => null) };
}

const shown = () => client.getQueryData<InfiniteData<Page<OverviewItem>>>(["overview", {}])!.pages[1]!.items[0]!;
const event = (more: object = {}): IntegrationEvent => ({ id: "a", ...state, live: figures, ...more });

test("figures are put into lists where they stand, with a sample for each second since", () => {
  tell("integration", event({ live: { ...figures, at: "2026-01-01T00:00:03.000Z", lag: 7 } }));
  expect(shown().live).toMatchObject({
    lag: 7,
    samples: { in: [1, 5, 5, 5], out: [1, 4, 4, 4], failed: [0, 0, 0, 0] },
  });
  tell("integration", event({ live: { ...figures, at: "2026-01-01T00:10:00.000Z" } }));
  expect(shown().live.samples.in).toHaveLength(60);
  vi.runAllTimers();
  expect(invalidated).toEqual([]);
});

test("what changes its place, comes or goes is asked for again, once for all that come together", () => {
  tell("integration", event({ health: "degraded" }));
  tell("integration", event({ id: "new" }));
  expect(shown().health).toBe("degraded");
  expect(invalidated).toEqual([]);
  vi.runAllTimers();
  expect(invalidated).toEqual([["overview"]]);
});

test("one that is removed leaves the overview, and its own page learns of it", () => {
  tell("integration", { id: "a", removed: true });
  vi.runAllTimers();
  expect(invalidated).toEqual([["overview"], ["integration", "a"]]);
});

test("a run changes where it is shown; one that is not is asked for, and a former one is not the last", () => {
  client.setQueryData(["runs", "a", {}], pages<Run>([run]));
  tell("run", { ...run, records_in: 9 });
  const runs = client.getQueryData<InfiniteData<Page<Run>>>(["runs", "a", {}]);
  expect(runs?.pages[0]?.items[0]?.records_in).toBe(9);
  expect(shown().last_run?.id).toBe("r");
  tell("run", { ...run, id: "former", started_at: "2025-12-31T00:00:00.000Z" });
  expect(shown().last_run?.id).toBe("r");
  vi.runAllTimers();
  expect(invalidated).toEqual([["runs", "a"]]);
});

test("dead letters move an integration in the overview as soon as there are some, or none any more", () => {
  tell("dead_letters", { integration_id: "a", depth: 3 });
  tell("dead_letters", { integration_id: "a", depth: 4 });
  expect(shown().live.dead_letters).toBe(4);
  vi.runAllTimers();
  expect(invalidated).toEqual([["overview"], ["dead-letters", "a"]]);
});

test("after each beginning of the stream all is asked for again but who is signed in", () => {
  client.setQueryData(["me"], {});
  client.setQueryData(["run", "r"], {});
  tell("ready", {});
  expect(asked()).toEqual([
    ["overview", {}],
    ["run", "r"],
  ]);
});

test("a long list is left as it is when the stream begins again, and an integration's stream asks for its own alone", () => {
  client.setQueryData(["runs", "a", {}], pages(...Array.from({ length: 6 }, () => [run])));
  client.setQueryData(["jobs", "a", {}], pages([]));
  intoCache(client, "a")("ready", {});
  expect(asked()).toEqual([["jobs", "a", {}]]);
});

/** What the first invalidation was about. */
function asked() {
  const filters = vi.mocked(client.invalidateQueries).mock.calls[0]?.[0];
  const found = client.getQueryCache().findAll(filters ?? {});
  return found.map(({ queryKey }) => queryKey);
}

test("a node that is gone is no longer in their list", () => {
  const node = { id: "n1", state: "ready" } as Node;
  client.setQueryData<Page<Node>>(["nodes"], { items: [node, { ...node, id: "n2" }], next_cursor: null });
  tell("node", { ...node, state: "draining" });
  tell("node", { ...node, id: "n2", state: "gone" });
  expect(client.getQueryData(["nodes"])).toEqual({ items: [{ id: "n1", state: "draining" }], next_cursor: null });
});
