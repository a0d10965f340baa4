import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import type { BatchHeader, LogBatch } from "../../runtime/ports/log.ts";
import { batchHeader, decodeBatch, encodeBatch, readHeader, withClaim } from "./codec.ts";

const bytes = fc.uint8Array({ maxLength: 2000 });
const index = fc.nat(1000);
// `jsonValue` makes -0, which no JSON text can tell from 0.
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json);

const header: fc.Arbitrary<BatchHeader> = fc.record(
  {
    kind: fc.constantFrom("records" as const, "end" as const),
    runId: fc.uuid(),
    integrationVersion: index,
    stream: fc.string({ unit: "binary" }),
    source: fc.string(),
    count: index,
    cursor: json,
    position: fc.record(
      { base: fc.string({ unit: "binary" }), offset: fc.maxSafeNat(), ordinals: fc.array(fc.maxSafeNat()) },
      { requiredKeys: ["base", "offset"], noNullPrototype: true },
    ),
    ingestedAt: fc.maxSafeNat(),
    traceparent: fc.string(),
    totals: fc.record({ batches: index, records: index }, { noNullPrototype: true }),
    error: fc.record(
      { code: fc.constantFrom("TIMEOUT" as const, "NOT_FOUND" as const), message: fc.string(), path: fc.string() },
      { requiredKeys: ["code", "message"], noNullPrototype: true },
    ),
    ingestSequence: index,
    origins: fc.array(index),
  },
  {
    requiredKeys: [
      "kind",
      "runId",
      "integrationVersion",
      "stream",
      "source",
      "count",
      "cursor",
      "position",
      "ingestedAt",
      "totals",
    ],
    noNullPrototype: true,
  },
);

const failure = fc.record(
  {
    index,
    code: fc.constantFrom("VALIDATION_ERROR" as const, "INTERNAL_ERROR" as const),
    message: fc.string({ unit: "binary" }),
    raw: bytes,
  },
  { noNullPrototype: true },
);

const batch: fc.Arbitrary<LogBatch> = fc.record(
  { header, body: bytes, failures: fc.array(failure, { maxLength: 5 }) },
  { requiredKeys: ["header", "body"], noNullPrototype: true },
);

/** Whether a body is a Buffer or a plain Uint8Array makes no difference. */
function same(actual: LogBatch, original: LogBatch): void {
  expect({ ...actual, body: new Uint8Array(actual.body) }).toEqual(original);
}

describe("the wire format", () => {
  it("gives back any batch as it was: bytes that are no UTF-8, NUL, no body, failures", () => {
    fc.assert(
      fc.property(batch, (original) => {
        const wire = encodeBatch(original);
        same(decodeBatch(readHeader(wire.header), wire.payload), original);
      }),
    );
  });

  it("fits a NATS header: no line break, no blank at either end", () => {
    fc.assert(
      fc.property(batch, (original) => {
        const text = encodeBatch(original).header;
        expect(text).not.toMatch(/[\r\n]/);
        expect(text.trim()).toBe(text);
      }),
    );
  });

  it("reads the header alone, also of a batch whose payload is elsewhere", () => {
    fc.assert(
      fc.property(batch, fc.string(), (original, claim) => {
        const { position, origins: _origins, ...rest } = original.header;
        const { ordinals: _ordinals, ...place } = position;
        const wire = encodeBatch(original);
        const reference = readHeader(withClaim(wire.header, claim));
        expect(readHeader(wire.header).claim).toBeUndefined();
        expect(reference.claim).toBe(claim);
        expect(batchHeader(reference)).toEqual({ ...rest, position: place });
        same(decodeBatch(reference, wire.payload), original);
      }),
    );
  });

  const plain: LogBatch = {
    header: {
      kind: "records",
      runId: "r",
      integrationVersion: 1,
      stream: "orders",
      source: "s",
      count: 1,
      cursor: null,
      position: { base: "a.ndjson", offset: 1 },
      ingestedAt: 0,
      totals: { batches: 1, records: 1 },
    },
    body: new TextEncoder().encode("{}"),
  };

  it("does not copy a body without a sidecar", () => {
    const wire = encodeBatch(plain);
    expect(wire.payload).toBe(plain.body);
    expect(decodeBatch(readHeader(wire.header), wire.payload).body).toBe(plain.body);
  });

  it("keeps the digits of a cursor that a double cannot hold", () => {
    const cursor: Json = { id: JSON.rawJSON("12345678901234567890") as unknown as Json, page: 3 };
    const wire = encodeBatch({ ...plain, header: { ...plain.header, cursor } });
    const read = readHeader(wire.header).cursor;
    expect(JSON.stringify(read)).toBe('{"id":12345678901234567890,"page":3}');
  });

  it("refuses a format it does not know, and a header that no server takes", () => {
    expect(() => readHeader("2{}")).toThrow('format "2"');
    expect(() => encodeBatch({ ...plain, header: { ...plain.header, cursor: "x".repeat(60_000) } })).toThrow(
      RangeError,
    );
  });
});
