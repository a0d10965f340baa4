export { checkIntegration } from "./check.ts";
export { type ConfigCheckContext, checkConfig } from "./check-config.ts";
export { checkConnector } from "./check-connector.ts";
export { checkPlugin } from "./check-plugin.ts";
export { configSchema, connectorSchema } from "./config-schema.ts";
export { compareVersions, findType, typeName, unknownType } from "./connector-type.ts";
export { deliverySchema } from "./delivery-schema.ts";
export type { FieldChange } from "./differences.ts";
export { parseDuration } from "./duration.ts";
export { type EndlessTrigger, isEndless } from "./endless.ts";
export { type HmacForm, type HookAuth, type HookScheme, hookSecretFault } from "./hook-auth.ts";
export { hookSecretsIn, isSealed, redactedHookSecrets, sealedMark, withHookSecrets } from "./hook-secrets.ts";
export { destinationSchema, integrationSchema, sourceSchema, triggerSchema } from "./integration-schema.ts";
export { type Change, type Item, planChanges } from "./plan.ts";
export type { Note } from "./plan-notes.ts";
export { pluginSchema } from "./plugin-schema.ts";
export { publishedSchema } from "./published-schema.ts";
export { Redactor } from "./redactor.ts";
export {
  hasReference,
  type ReferenceScheme,
  type ResolvedReference,
  type ResolveReference,
  resolveReferences,
} from "./references.ts";
export { completeIntegration, resolveIntegration } from "./resolve.ts";
export type {
  Feed,
  MeasureFunction,
  ResolvedDelivery,
  ResolvedDestination,
  ResolvedIntegration,
  ResolvedSource,
  ResolvedStep,
  ResolvedTrigger,
  SchemaContract,
} from "./resolved.ts";
export type { Part } from "./schema-parts.ts";
export { joinSecrets, redacted, splitSecrets } from "./secrets.ts";
export { ruleSchema, stepSchema } from "./step-schema.ts";
export { strandedSecrets } from "./stranded-secrets.ts";
