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
