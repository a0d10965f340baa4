import { expect, test } from "vitest";
import { resolveIntegration } from "../config/index.ts";
import type { CircuitState } from "../ports/live.ts";
import { type ConsumerFigures, type GraphFigures, graphOf, type WriterFigures } from "./graph.ts";

const one = resolveIntegration({
  source: { connector: "db", stream: "orders" },
  destination: { connector: "crm", stream: "o" },
  mapping_spec: [{ source: "$.a", destination: "a" }],
});
const several = resolveIntegration({
  source: { connector: "db", stream: "orders" },
  destinations: [
    { id: "a", connector: "crm", stream: "o", needs: ["pick"] },
    { id: "b", connector: "lake", stream: "o", needs: ["pick"] },
  ],
  pipeline_spec: {
    steps: [
      { id: "keep", type: "filter", where: "$.a > 1" },
      { id: "pick", type: "route", routes: [{ to: "a", where: "$.a > 2" }], otherwise: "b" },
    ],
  },
});

const closed: CircuitState = { state: "closed", since: null, reason: null, failure_ratio: null };
const open: CircuitState = {
  state: "open",
  since: "2026-01-01T00:00:00.000Z",
  reason: "it answers 503",
  failure_ratio: 1,
};

interface Held {
  readonly consumers?: Readonly<Record<string, Partial<ConsumerFigures>>>;
  readonly writers?: Readonly<Record<string, Partial<WriterFigures>>>;
  readonly circuits?: Readonly<Record<string, CircuitState>>;
  readonly waiting?: string;
}

const figures = ({ consumers = {}, writers = {}, circuits = {}, waiting }: Held = {}): GraphFigures => ({
  rate: (name) => name.length,
  consumer: (name = "steps") => ({
    credit: { available: 16, limit: 16, unit: "batches" },
    queue: { records: 0, bytes: 0 },
    blocked: false,
    room: { available: 100, limit: 100, unit: "bytes" },
    full: false,
    ...consumers[name],
  }),
  writer: (name) => ({ records: 0, blocked: false, latency: null, ...writers[name] }),
  circuits: { a: closed, b: closed, crm: closed, ...circuits },
  waiting: waiting ?? null,
});

test("with one destination the log feeds the steps, and these the destination", () => {
  const { nodes, edges, bottleneck } = graphOf(one, figures(), false);
  const [destination] = one.destinations;
  expect(nodes.map(({ id }) => id)).toEqual(["source:0", "log:ingest", "step:map", `destination:${destination!.id}`]);
  expect(edges.map(({ id, credit }) => [id, credit?.unit ?? null])).toEqual([
    ["source:0>log:ingest", "bytes"],
    ["log:ingest>step:map", "batches"],
    [`step:map>destination:${destination!.id}`, null],
  ]);
  expect(bottleneck).toBeNull();
});

test("with several destinations each has a log, and a route's edges have what it gives to each", () => {
  const { edges } = graphOf(several, figures(), true);
  expect(edges.map(({ id }) => id)).toEqual([
    "source:0>log:ingest",
    "log:ingest>step:keep",
    "step:keep>step:pick",
    "step:pick>log:a",
    "log:a>destination:a",
    "step:pick>log:b",
    "log:b>destination:b",
  ]);
  expect(edges.find(({ id }) => id === "step:pick>log:a")?.per_second).toBe("step pick to a".length);
});

test("the bottleneck is the edge that holds up all those before it", () => {
  const slow = graphOf(
    several,
    figures({
      consumers: {
        steps: { full: true, blocked: true },
        b: { full: true, blocked: true, queue: { records: 5_300, bytes: 1 } },
      },
    }),
    true,
  );
  expect(slow.bottleneck).toEqual({
    edge: "log:b>destination:b",
    reason: "Destination b is the slowest part: it takes 17 records a second while 5,300 records wait for it.",
  });
  const away = graphOf(several, figures({ consumers: { a: { blocked: true } }, circuits: { a: open } }), true);
  expect(away.bottleneck?.reason).toBe(
    "The circuit of destination a is open while 0 records wait for it: it answers 503",
  );
  const steps = graphOf(
    one,
    figures({ consumers: { [one.destinations[0]!.id]: { full: true, blocked: true } } }),
    false,
  );
  expect(steps.bottleneck).toMatchObject({
    edge: "log:ingest>step:map",
    reason: expect.stringMatching(/^The steps from map on are the slowest part/),
  });
  const written = graphOf(
    one,
    figures({
      writers: { [one.destinations[0]!.id]: { blocked: true, records: 1 } },
      waiting: "crm: connect ECONNREFUSED",
    }),
    false,
  );
  expect(written.bottleneck?.reason).toMatch(/takes nothing while 1 record waits for it: crm: connect ECONNREFUSED$/);
});

test("what is pushed in has a source of its own in the picture", () => {
  const hooked = resolveIntegration({
    destination: { connector: "crm", stream: "o" },
    trigger: { type: "webhook", auth: { type: "none" } },
  });
  expect(graphOf(hooked, figures(), false).nodes[0]).toMatchObject({
    id: "source:0",
    name: "webhook",
    type: "webhook",
  });
});
