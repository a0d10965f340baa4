import type { ConnectorType } from "../sdk/index.ts";
import type { Check } from "./check.ts";
import { destinationChecks } from "./check-destination.ts";
import { lastChecks, protocolChecks } from "./check-plugin.ts";
import { sourceChecks } from "./check-source.ts";
import { typeChecks } from "./check-type.ts";

export { type Check, type CheckResult, leastSecret, type PluginHandle, runChecks, type Subject } from "./check.ts";
export type { DestinationFixture, Fixture, LookupFixture, SourceFixture } from "./fixture.ts";

/** All that a connector type is tried for, in an order in which the later ones may rely on the former. */
export function checksOf(type: ConnectorType): Check[] {
  return [
    ...protocolChecks,
    ...typeChecks,
    ...(type.capabilities.source ? sourceChecks : []),
    ...destinationChecks(type),
    ...lastChecks,
  ];
}
