import { type Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthService,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../proto/gen/grpc/health/v1/health.ts";
import type { Readiness } from "../services/index.ts";
import { controlService } from "./schema.ts";

/** How often those who watch are told of a change. */
const lookMs = 1_000;
/** Of a node, since no token is asked for; a balancer needs one for each of its members. */
const mostWatchers = 1_000;

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;
type Status = (typeof Serving)[keyof typeof Serving];

/** grpc.health.v1: SERVING while the node is ready, for "" (the node) and the control API. Asked without a token, as /readyz. */
export function addHealth(server: Server, readiness: Readiness, closing: AbortSignal): { close(): void } {
  const known = new Set(["", controlService.typeName]);
  const watchers = new Map<Watcher, Status | undefined>();

  const look = async (): Promise<Status> => (closing.aborted ? Serving.NOT_SERVING : statusOf(readiness));
  const tell = (watcher: Watcher, now: Status) => {
    const told = watchers.get(watcher);
    if (told === now || told === Serving.SERVICE_UNKNOWN || !watchers.has(watcher)) return;
    watchers.set(watcher, now);
    watcher.write({ status: now });
  };
  const timer = setInterval(() => {
    if (watchers.size === 0) return;
    void look().then((now) => {
      for (const watcher of watchers.keys()) tell(watcher, now);
    });
  }, lookMs);
  timer.unref();

  const health: HealthServer = {
    check: ({ request: { service } }, respond) => {
      if (known.has(service)) void look().then((now) => respond(null, { status: now }));
      else respond({ code: status.NOT_FOUND, details: "there is no such service here" });
    },
    // A service that is not known is answered as such, and may be watched on.
    watch: (call) => {
      if (watchers.size >= mostWatchers) {
        const details = `${mostWatchers} watch the health of this node already`;
        return void call.emit("error", { code: status.RESOURCE_EXHAUSTED, details });
      }
      if (call.cancelled) return;
      call.on("cancelled", () => watchers.delete(call));
      if (!known.has(call.request.service)) {
        watchers.set(call, Serving.SERVICE_UNKNOWN);
        return void call.write({ status: Serving.SERVICE_UNKNOWN });
      }
      watchers.set(call, undefined);
      void look().then((now) => tell(call, now));
    },
  };
  server.addService(HealthService, health);
  return {
    close() {
      clearInterval(timer);
      for (const watcher of watchers.keys()) {
        tell(watcher, Serving.NOT_SERVING);
        watcher.end();
      }
      watchers.clear();
    },
  };
}

async function statusOf(readiness: Readiness): Promise<Status> {
  const parts = await readiness.check().catch(() => ({ readiness: "it cannot be told" }));
  return Object.values(parts).every((reason) => reason === null) ? Serving.SERVING : Serving.NOT_SERVING;
}
