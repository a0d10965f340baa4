import { expect, test } from "vitest";
import { recordId } from "../../runtime/pipeline/index.ts";
import type { BatchHeader } from "../../runtime/ports/log.ts";
import { AckWatch, nthBatch } from "./ack-watch.ts";
import { integrationId, Servers } from "./servers.ts";

const header: BatchHeader = {
  kind: "records",
  runId: "r",
  integrationVersion: 1,
  stream: "s",
  source: "",
  count: 2,
  cursor: 2,
  position: { base: "b", offset: 1 },
  ingestedAt: 0,
  totals: { batches: 1, records: 2 },
};

/** A batch of two records as message 5, of which a destination has or has not confirmed the second. */
function watching({ settled, doubt }: { settled: boolean; doubt: boolean }) {
  const servers = new Servers("test");
  const entry = { sequence: 5, subject: "r.0", batch: { header, body: new Uint8Array() }, id: "5" };
  const end = { ...entry, sequence: 6, batch: { header: { ...header, kind: "end" as const }, body: new Uint8Array() } };
  servers.streams.ingest.entries.push(entry, end);
  const checkpoint = { consumer: "steps", settled: settled ? [1, 5] : [1, 4], state: null, progress: null };
  servers.tables.checkpoints.set("steps", checkpoint);
  const inDoubt = new Set(doubt ? [recordId(integrationId, "b", 2)] : []);
  const watch = new AckWatch(servers, new Map([["d", { inDoubt }]]));
  const delivered = { consumer: "steps", entry, deliveries: 1 };
  return { watch, delivered, end: { ...delivered, entry: end }, stream: servers.streams.ingest };
}

test("an ack of what is settled and confirmed is counted", () => {
  const { watch, delivered, end, stream } = watching({ settled: true, doubt: false });
  expect(watch.acks).toEqual({ due: 1, done: 0 });
  for (const each of [delivered, end]) {
    watch.told("ingest", each);
    watch.heard("ingest", each);
  }
  expect({ acks: watch.acks, violations: watch.violations }).toEqual({ acks: { due: 1, done: 1 }, violations: [] });
  expect([nthBatch(stream, delivered.entry), nthBatch(stream, end.entry)]).toEqual([1, 0]);
});

test.each([
  [{ settled: false, doubt: false }, "message 5 (r.0) was acknowledged before it was settled"],
  [{ settled: true, doubt: true }, "message 5 (r.0) was acknowledged before destination d had confirmed it"],
])("an ack that comes too early is a broken promise: %j", (state, violation) => {
  const { watch, delivered } = watching(state);
  watch.told("ingest", delivered);
  expect(watch.violations).toEqual([violation]);
});

test("a second ack of one batch is a broken promise", () => {
  const { watch, delivered } = watching({ settled: true, doubt: false });
  watch.heard("ingest", delivered);
  watch.heard("ingest", delivered);
  expect(watch.violations).toEqual(["message 5 (r.0) was acknowledged 2 times"]);
});
