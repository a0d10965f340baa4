import type { Json } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import { correlationOf } from "../../runtime/record/index.ts";
import { applyService } from "./apply.ts";
import { connectorService } from "./connectors.ts";
import type { ServiceContext } from "./context.ts";
import { deadLetterService } from "./dead-letters.ts";
import { dryRunService } from "./dry-run.ts";
import { EventHub } from "./event-hub.ts";
import { eventService } from "./events.ts";
import { historyService } from "./history.ts";
import { integrationService } from "./integrations.ts";
import { type InvokeOptions, Invoker } from "./invoke.ts";
import { keyService } from "./keys.ts";
import { liveService } from "./live.ts";
import { pluginService } from "./plugins.ts";
import { deadLetterPreviewService, previewService } from "./preview.ts";
import { recordService } from "./records.ts";
import { secretsService } from "./secrets.ts";
import { tapService } from "./tap.ts";
import { withoutRefusals } from "./without-refusals.ts";

export { ConnectorEvents } from "./connector-events.ts";
export { type ConnectorRegistryOptions, createConnectorRegistry } from "./connector-registry.ts";
export { type IfMatch, overtaken, type ServiceContext } from "./context.ts";
export { correctionBody, dryRunBody, filterFields, replayAllBody, replayBody } from "./dead-letters.ts";
export { EventStream } from "./events.ts";
export { openHookSecrets } from "./hook-secrets.ts";
export { NotThroughError } from "./invoke.ts";
export { keyBody } from "./keys.ts";
export type { Durability, MetricsText, Readiness, Runner } from "./ports.ts";
export { deadLetterPreviewBody, previewBody } from "./preview.ts";
export type { WantedBy } from "./records.ts";

function servicesOf(context: ServiceContext, { invoker, hub }: Platform, caller: Caller | null) {
  const { store } = context;
  return {
    plugins: pluginService(context),
    connectors: connectorService(context),
    integrations: integrationService(context),
    history: historyService(context),
    deadLetters: deadLetterService(context),
    dryRun: dryRunService(context),
    apply: applyService(context),
    preview: previewService(context),
    previewDeadLetter: deadLetterPreviewService(context),
    follow: recordService(context),
    keys: keyService(context),
    audit: store.audit,
    invoke: (id: string, body: Json, options: InvokeOptions) => invoker.invoke({ store, caller }, id, body, options),
    tap: tapService(context),
    live: liveService(context),
    events: eventService({ ...context, hub }),
    nodes: context.nodes,
  };
}

/** What belongs to no team, once for all who ask. */
function platformOf(context: ServiceContext) {
  return {
    secrets: secretsService(context),
    idempotency: context.store.idempotency,
    traceUrl: context.traceUrl ?? null,
    hub: new EventHub(context),
    invoker: new Invoker(context.owners, context.runner, context.tracing),
  };
}
type Platform = ReturnType<typeof platformOf>;

/** What the product can be asked for, whatever the protocol. All throw SluiceError, and ConflictError of the store. */
export interface Services extends ReturnType<typeof servicesOf>, Platform {
  /** The same, on behalf of a caller; what takes long is given up when the signal aborts. */
  as(caller: Caller, signal?: AbortSignal): Services;
}

export function createServices(given: ServiceContext): Services {
  const context = { ...given, sealer: withoutRefusals(given.sealer) };
  return servicesBy(context, platformOf(context), null);
}

function servicesBy(context: ServiceContext, platform: Platform, by: Caller | null): Services {
  const as = (caller: Caller, signal?: AbortSignal) => {
    const lookups = context.lookups.of?.(caller.owner) ?? context.lookups;
    const correlation = correlationOf(caller);
    const own = { ...context, store: context.store.as(caller), lookups, correlation, signal };
    return servicesBy(own, platform, caller);
  };
  return { ...servicesOf(context, platform, by), ...platform, as };
}
