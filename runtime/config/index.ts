export { configSchema, connectorSchema } from "./config-schema.ts";
export { integrationSchema } from "./integration-schema.ts";
export { completeIntegration, resolveIntegration } from "./resolve.ts";
export type {
  Feed,
  ResolvedDelivery,
  ResolvedDestination,
  ResolvedIntegration,
  ResolvedSource,
  ResolvedStep,
  ResolvedTrigger,
  SchemaContract,
} from "./resolved.ts";
