import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import {
  HealthCheckResponse_ServingStatus,
  type HealthServer,
  HealthService,
} from "../../../proto/gen/grpc/health/v1/health.ts";
import {
  type ConnectorServiceServer,
  ConnectorServiceService,
  DestinationMode,
  LifecycleEvent,
  SourceMode,
  type SpecResponse,
} from "../../../proto/gen/sluice/connector/v1/connector.ts";
import type { ConnectorContext, ConnectorType } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { parseExact } from "../exact.ts";
import type { Json } from "../json.ts";
import { currentCorrelation, flushSpans, within } from "../spans.ts";
import { correlationOf } from "./correlation.ts";
import { callError, failureOf } from "./failure.ts";
import { Instances } from "./instances.ts";
import { serveRead } from "./read.ts";
import { serveWrite } from "./write.ts";

export interface PluginOptions {
  /** `HOST:PORT`, for a plugin that runs elsewhere; left out: a Unix socket, told on stdout. */
  readonly address?: string;
  /** Required where the address is not of this machine. */
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  /** What a connector is given besides the data folder, such as the addresses that it may reach. */
  readonly context?: Partial<ConnectorContext>;
}

export interface ServedPlugin {
  /** `unix:PATH` or `HOST:PORT`. */
  readonly address: string;
  /** Ends what is under way and closes. */
  stop(): Promise<void>;
}

const messageBytes = 64 * 1024 * 1024;
const protocolVersion = 1;
const graceMs = 3_000;

/**
 * Serves a connector type to sluice: the whole of a plugin's main program. Prints the handshake's line, and ends the
 * process when its stdin closes or it is asked to.
 */
export async function servePlugin(type: ConnectorType, options: PluginOptions = {}): Promise<ServedPlugin> {
  const folder = options.address === undefined ? mkdtempSync(join(tmpdir(), "sluice-plugin-")) : undefined;
  const wanted = options.address ?? `unix:${join(folder as string, "socket")}`;
  const dataDir = process.env.SLUICE_PLUGIN_DATA_DIR ?? process.cwd();
  const instances = new Instances(type, { dataDir, fileRoots: [dataDir], ...options.context });
  const server = new Server({
    "grpc.max_receive_message_length": messageBytes,
    "grpc.max_send_message_length": messageBytes,
  });
  const health: HealthServer = {
    check: unary(async () => ({ status: HealthCheckResponse_ServingStatus.SERVING })),
    watch: (call) => {
      call.write({ status: HealthCheckResponse_ServingStatus.SERVING });
    },
  };
  server.addService(HealthService, health);
  const service: ConnectorServiceServer = {
    spec: unary(async ({ protocolVersions }) => {
      if (protocolVersions.includes(protocolVersion)) return specOf(type);
      throw new ConnectorError("VALIDATION_ERROR", `it speaks version ${protocolVersion} of the protocol alone`, {
        fault: "destination",
      });
    }),
    check: unary(async ({ instance }, signal) => {
      await instances.use(instance, (connector) => connector.check(signal, currentCorrelation()));
      return {};
    }),
    discover: unary(async ({ instance }, signal) => {
      const streams = await instances.use(instance, (connector) => connector.discover(signal, currentCorrelation()));
      return {
        streams: streams.map(({ name, schema, key = [], required = [], cursorFields = [] }) => ({
          name,
          schema: JSON.stringify(schema),
          key: [...key],
          required: [...required],
          cursorFields: [...cursorFields],
        })),
      };
    }),
    lookup: unary(async ({ instance, requests }, signal) => {
      const result = await instances.use(instance, async (connector) => {
        if (!connector.lookup)
          throw new ConnectorError("VALIDATION_ERROR", "it looks nothing up", { fault: "destination" });
        return connector.lookup(
          requests.map((request) => parseExact(request)),
          signal,
          currentCorrelation(),
        );
      });
      const failed = (result.failed ?? []).map(({ index, ...failure }) => ({ index, failure: failureOf(failure) }));
      return { answers: result.answers.map((answer) => JSON.stringify(answer)), failed };
    }),
    lifecycle: unary(async ({ instance, event, previousConfig }, signal) => {
      await instances.use(instance, async (connector) => {
        if (event === LifecycleEvent.LIFECYCLE_EVENT_CREATED) await connector.created?.(signal);
        if (event === LifecycleEvent.LIFECYCLE_EVENT_UPDATED)
          await connector.updated?.(JSON.parse(previousConfig) as Json, signal);
        if (event === LifecycleEvent.LIFECYCLE_EVENT_DELETED) await connector.deleted?.(signal);
      });
      return {};
    }),
    read: (call) => within(correlationOf(call), () => serveRead(call, instances)),
    write: (call) => within(correlationOf(call), () => serveWrite(call, instances)),
  };
  server.addService(ConnectorServiceService, service);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(wanted, credentialsOf(options), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const address = wanted.startsWith("unix:") ? wanted : wanted.replace(/:\d+$/, `:${port}`);
  const stop = async () => {
    process.off("SIGTERM", end).off("SIGINT", end);
    const force = setTimeout(() => server.forceShutdown(), graceMs);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(force);
    await instances.close();
    await flushSpans();
    if (folder) rmSync(folder, { recursive: true, force: true });
  };
  const end = () => void stop().finally(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  if (options.address === undefined) process.stdin.resume().once("end", end);
  process.stdout.write(`${JSON.stringify({ sluice: 1, address })}\n`);
  return { address, stop };
}

function credentialsOf({ tls }: PluginOptions): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.cert, private_key: tls.key }], true);
}

/** A call with one answer. */
function unary<Request, Response>(
  answer: (request: Request, signal: AbortSignal) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call: ServerUnaryCall<Request, Response>, respond: sendUnaryData<Response>) => {
    const aborter = new AbortController();
    call.on("cancelled", () => aborter.abort(new Error("the call was cancelled")));
    within(correlationOf(call), () => answer(call.request, aborter.signal)).then(
      (response) => respond(null, response),
      (error) => respond(callError(error)),
    );
  };
}

const sourceModes = { full: SourceMode.SOURCE_MODE_FULL, incremental: SourceMode.SOURCE_MODE_INCREMENTAL };
const destinationModes = {
  append: DestinationMode.DESTINATION_MODE_APPEND,
  upsert: DestinationMode.DESTINATION_MODE_UPSERT,
  replace: DestinationMode.DESTINATION_MODE_REPLACE,
};

function specOf({ type, version, title, description, config, capabilities }: ConnectorType): SpecResponse {
  const { source, destination, lookup, lifecycle = false } = capabilities;
  return {
    protocolVersion,
    type,
    version,
    title,
    description,
    configSchema: JSON.stringify(config),
    source: source && {
      modes: source.modes.map((mode) => sourceModes[mode]),
      ownCursor: source.ownCursor ?? false,
      endless: source.endless ?? false,
    },
    destination: destination && { modes: destination.modes.map((mode) => destinationModes[mode]) },
    lookup: lookup && { requestSchema: JSON.stringify(lookup.request) },
    lifecycle,
  };
}
