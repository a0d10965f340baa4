import { type CallOptions, type ChannelCredentials, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Correlation } from "../../connectors/sdk/index.ts";
import { ConnectorServiceClient, type SpecResponse } from "../../proto/gen/sluice/connector/v1/connector.ts";
import { messageOf } from "../../runtime/errors/index.ts";
import { callErrorOf, misbehaves, PluginError } from "./failure.ts";
import type { PluginAddress } from "./life.ts";

/** Of a message, either way. */
export const messageBytes = 64 * 1024 * 1024;
const protocolVersions = [1];
const specMs = 10_000;
const dayMs = 24 * 60 * 60 * 1000;

/** Connects with the first call. */
export function connect({ address, tls }: PluginAddress): ConnectorServiceClient {
  return new ConnectorServiceClient(address, credentialsOf(tls), {
    "grpc.max_receive_message_length": messageBytes,
    "grpc.max_send_message_length": messageBytes,
    // A far side that vanished without a word is found out, and a connection without calls is kept.
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.client_idle_timeout_ms": dayMs,
    ...(tls?.serverName !== undefined && {
      "grpc.ssl_target_name_override": tls.serverName,
      "grpc.default_authority": tls.serverName,
    }),
  });
}

function credentialsOf(tls: PluginAddress["tls"]): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  try {
    return credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert));
  } catch (error) {
    // Its message names the fault, and nothing of what was given.
    throw new PluginError("VALIDATION_ERROR", `tls holds no PEM that can be read: ${messageOf(error)}`, {
      fault: "destination",
      path: "tls",
    });
  }
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => { cancel(): void };

/** One call with one answer; cancelled when the signal aborts. */
export function ask<Request, Response>(
  call: Unary<Request, Response>,
  request: Request,
  plugin: string,
  signal: AbortSignal,
  correlation?: Correlation,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const made = call(request, metadataOf(correlation), {}, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (!error) resolve(response);
      else reject(signal.aborted ? signal.reason : callErrorOf(error, plugin));
    });
    const cancel = () => made.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
  });
}

/** What a plugin is told of the request that set a call going, as the protocol has it. */
export function metadataOf({ traceparent, requestId, actor, owner }: Correlation = {}): Metadata {
  const metadata = new Metadata();
  if (traceparent !== undefined) metadata.set("traceparent", traceparent);
  if (requestId !== undefined) metadata.set("x-request-id", requestId);
  if (actor !== undefined) metadata.set("x-sluice-actor", encodeURIComponent(actor.toWellFormed()));
  if (owner !== undefined) metadata.set("x-sluice-owner", encodeURIComponent(owner.toWellFormed()));
  return metadata;
}

/** What the plugin says of itself, checked. */
export async function specOf(client: ConnectorServiceClient, plugin: string): Promise<SpecResponse> {
  const signal = AbortSignal.timeout(specMs);
  const spec = await ask(client.spec.bind(client), { protocolVersions }, plugin, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    throw new PluginError("TIMEOUT", `plugin ${plugin} did not say what it is within ${specMs / 1000} s`);
  });
  if (!protocolVersions.includes(spec.protocolVersion)) {
    throw misbehaves(
      plugin,
      `speaks version ${spec.protocolVersion} of the protocol, and this sluice only ${protocolVersions.join(", ")}`,
    );
  }
  if (!/^[a-z][a-z0-9-]*$/.test(spec.type))
    throw misbehaves(plugin, `has the type "${spec.type}", which is no name of a type`);
  if (!/^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/.test(spec.version))
    throw misbehaves(plugin, `has the version "${spec.version}", which is not semantic`);
  if (!spec.source && !spec.destination && !spec.lookup) throw misbehaves(plugin, "is neither source nor destination");
  return spec;
}
