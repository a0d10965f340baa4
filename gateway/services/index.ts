import { applyService } from "./apply.ts";
import { connectorService } from "./connectors.ts";
import type { ServiceContext } from "./context.ts";
import { deadLetterService } from "./dead-letters.ts";
import { dryRunService } from "./dry-run.ts";
import { historyService } from "./history.ts";
import { integrationService } from "./integrations.ts";
import { pluginService } from "./plugins.ts";
import { previewService } from "./preview.ts";
import { secretsService } from "./secrets.ts";

export { ConnectorEvents } from "./connector-events.ts";
export { type ConnectorRegistryOptions, createConnectorRegistry } from "./connector-registry.ts";
export type { IfMatch, ServiceContext } from "./context.ts";
export { correctionBody, filterBody, filterFields, replayAllBody, replayBody } from "./dead-letters.ts";
export type { Durability, MetricsText, Readiness, Runner } from "./ports.ts";
export { previewBody } from "./preview.ts";

/** What the product can be asked for, whatever the protocol. All throw SluiceError, and ConflictError of the store. */
export function createServices(context: ServiceContext) {
  return {
    plugins: pluginService(context),
    connectors: connectorService(context),
    integrations: integrationService(context),
    history: historyService(context),
    deadLetters: deadLetterService(context),
    dryRun: dryRunService(context),
    apply: applyService(context),
    preview: previewService(context),
    secrets: secretsService(context),
  };
}

export type Services = ReturnType<typeof createServices>;
