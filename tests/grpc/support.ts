import { execFile } from "node:child_process";
import { type CallOptions, type Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import { createGrpc, type GrpcOptions } from "../../gateway/grpc/index.ts";
import type { MessageFns } from "../../proto/gen/google/rpc/error_details.ts";
import { BadRequest, ErrorInfo, RequestInfo, RetryInfo } from "../../proto/gen/google/rpc/error_details.ts";
import { Status } from "../../proto/gen/google/rpc/status.ts";
import { ControlServiceClient } from "../../proto/gen/sluice/control/v1/control.ts";
import { noLogger } from "../../runtime/ports/logger.ts";
import { type Api, startApi } from "../rest/support.ts";
import { findGrpcurl } from "../support/grpcurl.ts";

export interface GrpcApi extends Api {
  readonly address: string;
  readonly client: ControlServiceClient;
  /** Stops the server. */
  stop(): Promise<void>;
}

/** The gateway over a new database, by REST and by gRPC. */
export async function startGrpc(more: Partial<GrpcOptions> = {}): Promise<GrpcApi> {
  return serveGrpc(await startApi(), more);
}

export async function serveGrpc(api: Api, more: Partial<GrpcOptions> = {}): Promise<GrpcApi> {
  const grpc = createGrpc({ ...api.gateway, logger: noLogger, ...more });
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= grpc.close());
  onTestFinished(stop);
  const address = `127.0.0.1:${await grpc.listen({ host: "127.0.0.1", port: 0 })}`;
  return { ...api, address, client: clientOf(address), stop };
}

export function clientOf(address: string): ControlServiceClient {
  const client = new ControlServiceClient(address, credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
  });
  onTestFinished(() => client.close());
  return client;
}

/** Metadata of a call with a token. */
export function as(token: string, more: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${token}`, ...more })) metadata.set(name, value);
  return metadata;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => { on(event: "metadata", listener: (metadata: Metadata) => void): unknown };

/** One call with one answer: what it answers, and the metadata before it. */
export function ask<Request, Response>(
  client: ControlServiceClient,
  call: Unary<Request, Response>,
  request: Request,
  metadata: Metadata,
): Promise<Response & { readonly metadata: Metadata }> {
  return new Promise((resolve, reject) => {
    let before = new Metadata();
    call
      .call(client, request, metadata, {}, (error, response) => {
        if (error) reject(error);
        else resolve({ ...response, metadata: before });
      })
      .on("metadata", (metadata) => {
        before = metadata;
      });
  });
}

const kinds: Readonly<Record<string, MessageFns<unknown>>> = { BadRequest, ErrorInfo, RequestInfo, RetryInfo };

/** A failed call's status, its details by the names of their messages. */
export async function failureOf(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (error: ServiceError) => error,
  );
  if (error === undefined) throw new Error("the call did not fail");
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const { details } = Status.decode((bytes as Buffer | undefined) ?? Buffer.of());
  const named = details.map(({ typeUrl, value }) => {
    const name = typeUrl.replace("type.googleapis.com/google.rpc.", "");
    return [name, kinds[name]!.decode(value)] as const;
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of the details.
  const told: Record<string, any> = { code: error.code, message: error.details, ...Object.fromEntries(named) };
  return told;
}

/** grpcurl, a client that nobody here wrote: what it prints, and how it ends. */
export async function grpcurl(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const program = await findGrpcurl();
  return new Promise((resolve) => {
    execFile(program, ["-plaintext", ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A call by the name of its method, with a request as bytes; resolves with the status's number, 0 where it is answered. */
export function callRaw(
  client: Client,
  method: string,
  request: Uint8Array,
  metadata: Metadata,
): Promise<{ readonly code: number; readonly message: string }> {
  const path = `/sluice.control.v1.ControlService/${method}`;
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    const call = client.makeServerStreamRequest(path, same, same, Buffer.from(request), metadata);
    // What has no end is let go.
    call.on("data", () => method === "StreamEvents" && call.cancel());
    call.on("error", () => {});
    call.on("status", ({ code, details }) => resolve({ code, message: details }));
  });
}
