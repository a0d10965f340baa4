import { headers } from "@nats-io/transport-node";
import { batchHeaderName, decodeBatch, encodeBatch, readHeader } from "../../adapters/jetstream/codec.ts";
import type { BatchHeader } from "../../runtime/ports/log.ts";

export interface WireFormatBenchOptions {
  readonly records?: number | undefined;
  /** Milliseconds a result. */
  readonly durationMs?: number;
}

/**
 * A batch on its way into a NATS message and out of it again, in four formats: JSON lines with the header in a NATS
 * header (what adapters/jetstream does) or before them in the payload, one JSON array, and protobuf (a message with
 * repeated bytes, each a JSON text). Microseconds for one batch; sending it is not measured. One JSON line a result.
 */
export async function run(options: WireFormatBenchOptions = {}): Promise<void> {
  const { records = 400, durationMs = 1_000 } = options;
  const objects = Array.from({ length: records }, (_, n) => record(n));
  const slice = Buffer.from(objects.map((object) => JSON.stringify(object)).join("\n"));
  const tasks = Object.entries(formats).flatMap(([format, { fromSlice, fromObjects, toObjects }]) => {
    const wire = fromSlice(slice);
    const back = toObjects(wire);
    if (back.length !== records || JSON.stringify(back[7]) !== JSON.stringify(objects[7])) throw new Error(format);
    const about = { scenario: "wire-format", format, records, bytes: wire.length };
    return [
      { about: { ...about, task: "encode a slice of an NDJSON file" }, work: () => fromSlice(slice) },
      { about: { ...about, task: "encode objects" }, work: () => fromObjects(objects) },
      { about: { ...about, task: "decode to objects" }, work: () => toObjects(wire) },
    ].map((task) => ({ ...task, best: Number.POSITIVE_INFINITY }));
  });
  // Taking turns, and the best round of each: what else the machine does hits all alike.
  for (let round = 0; round < rounds; round++) {
    for (const task of tasks) task.best = Math.min(task.best, measure(task.work, durationMs / rounds));
  }
  for (const { about, best } of tasks)
    console.log(JSON.stringify({ ...about, microsPerBatch: Math.round(best * 10) / 10 }));
}

const rounds = 10;

interface Format {
  fromSlice(slice: Buffer): Uint8Array;
  fromObjects(objects: readonly object[]): Uint8Array;
  toObjects(wire: Uint8Array): unknown[];
}

const header: BatchHeader = {
  kind: "records",
  runId: "01936f5e-7c1e-7b3a-9d55-0242ac120002",
  integrationVersion: 3,
  stream: "orders",
  source: "shop/orders/full",
  count: 400,
  cursor: { file: "orders.ndjson", offset: 92_000, line: 401 },
  position: { base: "orders.ndjson", offset: 1 },
  ingestedAt: 1_763_719_000_000,
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  totals: { batches: 1, records: 400 },
};

let natsHeader = "";
const jsonLines: Format = {
  fromSlice(body) {
    const wire = encodeBatch({ header, body });
    natsHeader = wire.header;
    const head = headers();
    head.append(batchHeaderName, wire.header);
    (head as unknown as { encode(): Uint8Array }).encode();
    return wire.payload;
  },
  fromObjects: (objects) => jsonLines.fromSlice(Buffer.from(objects.map((one) => JSON.stringify(one)).join("\n"))),
  toObjects: (wire) => parseLines(decodeBatch(readHeader(natsHeader), wire).body),
};

const jsonLinesWithPrefix: Format = {
  fromSlice(body) {
    const head = Buffer.from(JSON.stringify(header));
    const start = Buffer.allocUnsafe(5);
    start[0] = 1;
    start.writeUInt32BE(head.length, 1);
    return Buffer.concat([start, head, body]);
  },
  fromObjects: (objects) =>
    jsonLinesWithPrefix.fromSlice(Buffer.from(objects.map((one) => JSON.stringify(one)).join("\n"))),
  toObjects(wire) {
    const bytes = Buffer.from(wire.buffer, wire.byteOffset, wire.length);
    const end = 5 + bytes.readUInt32BE(1);
    JSON.parse(bytes.toString("utf8", 5, end));
    return parseLines(bytes.subarray(end));
  },
};

const jsonArray: Format = {
  fromSlice(slice) {
    const head = Buffer.from(`${JSON.stringify(header)}\n[`);
    const wire = Buffer.allocUnsafe(head.length + slice.length + 1);
    head.copy(wire);
    slice.copy(wire, head.length);
    for (let at = wire.indexOf(10, head.length); at >= 0; at = wire.indexOf(10, at + 1)) wire[at] = 44;
    wire[wire.length - 1] = 93;
    return wire;
  },
  fromObjects: (objects) => Buffer.from(`${JSON.stringify(header)}\n${JSON.stringify(objects)}`),
  toObjects(wire) {
    const bytes = Buffer.from(wire.buffer, wire.byteOffset, wire.length);
    const end = bytes.indexOf(10);
    JSON.parse(bytes.toString("utf8", 0, end));
    return JSON.parse(bytes.toString("utf8", end + 1));
  },
};

/** `message Batch { bytes header = 1; repeated bytes records = 2; }` */
const protobuf: Format = {
  fromSlice(slice) {
    const head = Buffer.from(JSON.stringify(header));
    const wire = Buffer.allocUnsafe(head.length + slice.length + 6 * 1024);
    let at = putField(wire, 0, 0x0a, head, 0, head.length);
    for (let start = 0; start < slice.length; ) {
      const found = slice.indexOf(10, start);
      const end = found < 0 ? slice.length : found;
      at = putField(wire, at, 0x12, slice, start, end);
      start = end + 1;
    }
    return wire.subarray(0, at);
  },
  fromObjects(objects) {
    const head = Buffer.from(JSON.stringify(header));
    const texts = objects.map((one) => Buffer.from(JSON.stringify(one)));
    const wire = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + text.length + 6, head.length + 6));
    let at = putField(wire, 0, 0x0a, head, 0, head.length);
    for (const text of texts) at = putField(wire, at, 0x12, text, 0, text.length);
    return wire.subarray(0, at);
  },
  toObjects(wire) {
    const bytes = Buffer.from(wire.buffer, wire.byteOffset, wire.length);
    const objects: unknown[] = [];
    for (let at = 0; at < bytes.length; ) {
      const tag = bytes[at++];
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      const value = JSON.parse(bytes.toString("utf8", at, at + length));
      if (tag === 0x12) objects.push(value);
      at += length;
    }
    return objects;
  },
};

const formats: { readonly [name: string]: Format } = {
  "JSON lines, header in a NATS header": jsonLines,
  "JSON lines, header in the payload": jsonLinesWithPrefix,
  "JSON array": jsonArray,
  "protobuf with JSON payloads": protobuf,
};

function parseLines(body: Uint8Array): unknown[] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString();
  return text.split("\n").map((line) => JSON.parse(line));
}

function putField(wire: Buffer, at: number, tag: number, from: Buffer, start: number, end: number): number {
  wire[at++] = tag;
  let length = end - start;
  for (; length > 0x7f; length >>>= 7) wire[at++] = (length & 0x7f) | 0x80;
  wire[at++] = length;
  from.copy(wire, at, start, end);
  return at + end - start;
}

/** 230 bytes as JSON. */
function record(n: number): object {
  return {
    id: 1_000_000 + n,
    email: `customer-${n % 1000}@example.com`,
    name: "Ada Lovelace",
    amount: 1234.5 + n,
    address: { city: "Zürich", street: "Bahnhofstrasse 12" },
    created_at: "2025-11-21T10:09:00.000Z",
    status: n % 2 === 0 ? "active" : "closed",
    tags: ["vip", "newsletter"],
  };
}

/** Mean microseconds a call. */
function measure(work: () => unknown, durationMs: number): number {
  let calls = 0;
  const start = performance.now();
  for (const end = start + durationMs; performance.now() < end; calls++) work();
  return ((performance.now() - start) * 1000) / calls;
}

if (import.meta.main) await run();
