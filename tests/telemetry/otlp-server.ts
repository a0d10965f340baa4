import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { onTestFinished } from "vitest";

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** 2 is an error. */
  readonly status: number;
}

/** A collector that takes spans by OTLP/HTTP in protobuf, until the test is over. */
export interface OtlpServer {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** All that came, whatever it was. */
  readonly bytes: () => Buffer;
}

export async function startOtlpServer(): Promise<OtlpServer> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    bodies.push(body);
    if (request.url === "/v1/traces") spans.push(...spansIn(body));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, spans, bytes: () => Buffer.concat(bodies) };
}

/** opentelemetry/proto/collector/trace/v1: request 1 → resource spans 2 → scope spans 2 → span. */
function spansIn(request: Buffer): ReceivedSpan[] {
  return messages(request, 1)
    .flatMap((resource) => messages(resource, 2))
    .flatMap((scope) => messages(scope, 2))
    .map((span) => ({
      traceId: bytesAt(span, 1).toString("hex"),
      spanId: bytesAt(span, 2).toString("hex"),
      parentSpanId: bytesAt(span, 4).toString("hex"),
      name: bytesAt(span, 5).toString(),
      attributes: Object.fromEntries(messages(span, 9).map(attribute)),
      status: Number(fields(bytesAt(span, 15)).find(({ number }) => number === 3)?.value ?? 0),
    }));
}

function attribute(keyValue: Buffer): [string, string | number] {
  const value = fields(bytesAt(keyValue, 2))[0]?.value ?? "";
  return [bytesAt(keyValue, 1).toString(), Buffer.isBuffer(value) ? value.toString() : Number(value)];
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

const messages = (message: Buffer, number: number): Buffer[] =>
  fields(message)
    .filter((field) => field.number === number)
    .map(({ value }) => value as Buffer);

const bytesAt = (message: Buffer, number: number): Buffer => messages(message, number)[0] ?? Buffer.alloc(0);

/** The wire format: tag, then a varint, eight bytes, a length and as many bytes, or four bytes. */
function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    const type = tag & 7;
    if (type === 0) {
      found.push({ number, value: varint() });
      continue;
    }
    const length = type === 2 ? Number(varint()) : type === 1 ? 8 : 4;
    found.push({ number, value: message.subarray(at, at + length) });
    at += length;
  }
  return found;
}
