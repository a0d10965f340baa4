import type { DescMethod } from "@bufbuild/protobuf";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Identity, Scope } from "../auth/index.ts";
import type { EventStream, Services } from "../services/index.ts";
import { controlService } from "./schema.ts";
import { tapRecords } from "./tap-records.ts";
import { watchRun } from "./watch-run.ts";

/** A call that is answered by many messages, until it ends or nobody reads any more. */
interface StreamMethod {
  /** What a caller must be allowed, all of it. */
  readonly scopes: readonly Scope[];
  /** What of REST's it belongs to. */
  readonly path: string;
  /** Gives messages as JSON. The services are those of who asks. */
  open(fields: JsonObject, services: Services, signal: AbortSignal, caller: Identity): AsyncIterable<JsonObject>;
}

const streams: { readonly [localName: string]: StreamMethod } = {
  watchRun: {
    scopes: ["runs:read"],
    path: "/v1/runs/{id}",
    open: (fields, { history }, signal) => watchRun(idOf(fields), history, signal),
  },
  streamEvents: {
    scopes: ["integrations:read"],
    path: "/v1/events",
    open: ({ integration = null }, { events }, signal, { scopes }) =>
      streamEvents(events(integration as string | null, scopes), signal),
  },
  // Records are data, as dead letters are.
  tap: {
    scopes: ["dead-letters:read"],
    path: "/v1/integrations/{id}",
    open: (fields, { tap }, signal) => tapRecords(idOf(fields), fields, tap, signal),
  },
};

export function streamMethods(): (StreamMethod & { readonly method: DescMethod })[] {
  return controlService.methods
    .filter(({ methodKind }) => methodKind === "server_streaming")
    .map((method) => ({ method, ...(streams[method.localName] as StreamMethod) }));
}

async function* streamEvents(stream: Promise<EventStream>, signal: AbortSignal): AsyncGenerator<JsonObject> {
  for await (const told of (await stream).told(signal)) {
    for (const { event, data } of told) yield { event, data };
  }
}

function idOf({ id }: JsonObject): string {
  if (typeof id === "string") return id;
  throw new SluiceError("VALIDATION_ERROR", "id: is required", [{ path: "id", message: "is required" }]);
}
