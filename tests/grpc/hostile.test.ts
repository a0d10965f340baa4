import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect, onTestFinished, test, vi } from "vitest";
import { HealthCheckRequest } from "../../proto/gen/grpc/health/v1/health.ts";
import { fileConnector, integration } from "../rest/support.ts";
import { type GrpcApi, startGrpc } from "./support.ts";

vi.setConfig({ testTimeout: 120_000 });

const control = "/sluice.control.v1.ControlService";
const check = "/grpc.health.v1.Health/Check";
/** Above what a loaded machine takes to answer, where a test wants an answer; below what anybody waits, where not. */
const patience = { message: 2_000, answer: 2_000, grace: 500 };

/** A client that does as it likes, of a server of its own. */
async function raw(api: GrpcApi, options: Parameters<typeof connect>[1] = {}): Promise<ClientHttp2Session> {
  const session = connect(`http://${api.address}`, options as object);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  await once(session, "connect");
  return session;
}

/** A call whose message is not sent yet. */
function open(session: ClientHttp2Session, path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** The call's status: in its trailers, or in its headers where nothing else is answered. */
async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const look = (headers: Record<string, unknown>) => {
    if (headers["grpc-status"] !== undefined) resolve(Number(headers["grpc-status"]));
  };
  stream.on("response", look).on("trailers", look);
  stream.resume();
  return promise;
}

/** Until a call is over for its client, too, however. */
const closed = (stream: ClientHttp2Stream) => new Promise<void>((resolve) => stream.once("close", resolve));

function message(bytes: Uint8Array, isPacked = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = isPacked ? 1 : 0;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

test("whoever has no token is refused before its message has come, and what it sends on is not waited for", async () => {
  const api = await startGrpc({ patience });
  const session = await raw(api);
  const calls = Array.from({ length: 100 }, (_, n) => {
    const call = open(session, `${control}/ApplyConfiguration`, n % 2 ? { authorization: "Bearer slc_wrong" } : {});
    // The head of a message of 8 MB, and none of it ends.
    call.write(Buffer.concat([message(Buffer.alloc(8_000_000)).subarray(0, 5), Buffer.alloc(50_000)]));
    return call;
  });
  const ends = calls.map(closed);
  expect(new Set(await Promise.all(calls.map(statusOf)))).toEqual(new Set([status.UNAUTHENTICATED]));
  await Promise.all(ends);
  expect(session.destroyed).toBe(false);
});

test("a caller that may not is refused before its message has come", async () => {
  const api = await startGrpc({ patience });
  const { body } = await api.call("POST", "/v1/api-keys", { name: "viewer", role: "viewer" });
  const call = open(await raw(api), `${control}/CreateConnector`, { authorization: `Bearer ${body.key}` });
  expect(await statusOf(call)).toBe(status.PERMISSION_DENIED);
});

test("a message that does not come is waited for no longer than a minute, here two seconds", async () => {
  const api = await startGrpc({ patience });
  const session = await raw(api);
  const authorization = `Bearer ${api.token}`;
  const silent = open(session, `${control}/ListConnectors`, { authorization });
  const unended = open(session, `${control}/ListConnectors`, { authorization });
  unended.write(message(Buffer.alloc(0)));
  const dripping = open(session, `${control}/ApplyConfiguration`, { authorization });
  dripping.write(message(Buffer.alloc(1_000_000)).subarray(0, 5));
  const drip = setInterval(() => dripping.write(Buffer.alloc(10)), 50);
  const strange = open(session, check);
  const calls = [silent, unended, dripping, strange];
  const ends = calls.map(closed);
  expect(await Promise.all(calls.map(statusOf))).toEqual(calls.map(() => status.DEADLINE_EXCEEDED));
  clearInterval(drip);
  await Promise.all(ends);
});

test("what anybody may ask takes small messages, and none that are compressed", async () => {
  const api = await startGrpc({ patience });
  const session = await raw(api);
  const asked = (service: string) => Buffer.from(HealthCheckRequest.encode({ service }).finish());
  const large = open(session, check);
  large.write(message(asked("x".repeat(8_000_000))));
  expect(await statusOf(large)).toBe(status.RESOURCE_EXHAUSTED);
  const packed = open(session, check, { "grpc-encoding": "gzip" });
  packed.write(message(gzipSync(asked("x".repeat(8_000_000))), true));
  expect(await statusOf(packed)).toBe(status.UNIMPLEMENTED);
  const reflection = open(session, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", {
    "grpc-encoding": "gzip",
  });
  // list_services, then a second one that is compressed.
  const list = Buffer.from([0x3a, 0]);
  reflection.write(message(list));
  await once(reflection, "data");
  reflection.write(message(gzipSync(list), true));
  await closed(reflection);
  const usual = open(session, check);
  usual.end(message(asked("")));
  expect(await statusOf(usual)).toBe(status.OK);
});

test("an answer that nobody reads is thrown away", async () => {
  const api = await startGrpc({ patience });
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const rules = Array.from({ length: 200 }, (_, n) => ({ value: "x".repeat(2_000), destination: `f${n}` }));
  const created = await api.call("POST", "/v1/integrations", integration({ mapping_spec: rules }));
  expect(created.status).toBe(201);
  const session = await raw(api);
  const call = open(session, `${control}/ListIntegrations`, { authorization: `Bearer ${api.token}` });
  const ended = closed(call);
  call.end(message(Buffer.alloc(0)));
  // Answered, and never read.
  await once(call, "response");
  call.pause();
  await ended;
  expect(call.rstCode).toBe(constants.NGHTTP2_CANCEL);
});
