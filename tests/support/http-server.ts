import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { http } from "../../connectors/http/index.ts";
import type {
  Connector,
  ConnectorContext,
  Cursor,
  DestinationMode,
  Json,
  JsonObject,
  OutRecord,
  ReadBatch,
  SourceMode,
  WriteBatch,
} from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";

/** A request as the server got it; its body decoded. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the server answers: an object is JSON, a text is itself. Undefined: the handler answers by `response`. */
export interface Reply {
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string | string[] };
  readonly body?: Json | Buffer | string;
}

export type Handler = (asked: Asked, response: ServerResponse) => Reply | undefined | Promise<Reply | undefined>;

export interface TestServer {
  readonly url: string;
  readonly server: Server;
  readonly asked: Asked[];
  close(): Promise<void>;
}

/** A server on a free port. */
export async function serve(handler: Handler): Promise<TestServer> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const url = new URL(request.url ?? "/", "http://server");
    const body = decoded(Buffer.concat(pieces), request.headers["content-encoding"]).toString();
    const one = {
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    };
    asked.push(one);
    const reply = await handler(one, response);
    if (reply === undefined) return;
    const { status = 200, headers = {}, body: answer = "" } = reply;
    const isJson = typeof answer !== "string" && !Buffer.isBuffer(answer);
    response.writeHead(status, { ...(isJson ? { "content-type": "application/json" } : {}), ...headers });
    response.end(isJson ? JSON.stringify(answer) : answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, server, asked, close };
}

/** The same for one test. */
export async function serveHere(handler: Handler): Promise<TestServer> {
  const server = await serve(handler);
  onTestFinished(() => server.close());
  return server;
}

function decoded(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  if (encoding === "br") return brotliDecompressSync(body);
  return encoding === "zstd" ? zstdDecompressSync(body) : body;
}

export const httpContext: ConnectorContext = {
  dataDir: "/nonexistent",
  fileRoots: [],
  allowAddresses: ["127.0.0.1", "::1"],
  expressions,
};

/** A connector for one test. */
export function connect(config: JsonObject, context: ConnectorContext = httpContext): Connector {
  const connector = http.create(config as never, context);
  onTestFinished(() => connector.close());
  return connector;
}

export interface ReadOptions {
  readonly mode?: SourceMode;
  readonly cursorField?: string;
  readonly from?: Cursor;
  readonly batch?: { readonly records: number; readonly bytes: number };
  readonly signal?: AbortSignal;
}

/** All batches that remain of a stream. */
export async function readBatches(
  connector: Connector,
  stream: string,
  options: ReadOptions = {},
): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for await (const batch of batchesOf(connector, stream, options)) if (batch.count > 0) batches.push(batch);
  return batches;
}

export async function* batchesOf(
  connector: Connector,
  stream: string,
  options: ReadOptions = {},
): AsyncGenerator<ReadBatch> {
  const { mode = "full", cursorField, from = null, batch = { records: 500, bytes: 100_000 }, signal } = options;
  const source = await connector.openSource!({
    stream,
    mode,
    cursorField,
    from,
    batch,
    signal: signal ?? new AbortController().signal,
  });
  try {
    yield* source.read();
  } finally {
    await source.close();
  }
}

export function recordsIn(batches: readonly ReadBatch[]): Json[] {
  return batches.flatMap(({ data, count }) =>
    count === 0
      ? []
      : Buffer.from(data)
          .toString()
          .split("\n")
          .map((text) => JSON.parse(text) as Json),
  );
}

/** The cursor after all of them, as the log gives it back. */
export function cursorAfter(batches: readonly ReadBatch[]): Cursor {
  return JSON.parse(JSON.stringify(batches.at(-1)?.cursor ?? null)) as Cursor;
}

export interface WriteOptions {
  readonly mode?: DestinationMode;
  readonly key?: readonly string[];
  readonly timeout?: { readonly connectMs: number; readonly readMs: number; readonly totalMs?: number };
}

/** A destination for one test. */
export async function openDestination(connector: Connector, stream: string, options: WriteOptions = {}) {
  const { mode = "append", key = [], timeout } = options;
  const destination = await connector.openDestination!({
    stream,
    mode,
    key,
    runId: "00000000-0000-7000-8000-000000000001",
    state: null,
    signal: new AbortController().signal,
    ...(timeout ? { timeout } : {}),
  });
  onTestFinished(() => destination.close());
  return destination;
}

export function batchOf(records: readonly Json[], more: Partial<WriteBatch> = {}): WriteBatch {
  const made = records.map((value, index): OutRecord => ({ value, text: JSON.stringify(value), id: `id-${index}` }));
  return { records: made, signal: new AbortController().signal, ...more };
}
